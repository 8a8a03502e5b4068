"""A wrapped command: its process, signals, output and end."""
