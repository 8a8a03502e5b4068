"""What this machine has, read from its operating system and drivers."""
