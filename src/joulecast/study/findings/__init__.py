"""What a study found, as plain data."""
