"""A machine's own constants, and the probe that runs real steps."""
