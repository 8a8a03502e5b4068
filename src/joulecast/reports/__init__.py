"""Reports of a recording: the terminal, one HTML page, the doctor's display."""
