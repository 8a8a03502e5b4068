"""The version, read by the build and by the program."""

__version__ = "0.2.0"
