"""What verbs print, one file per verb."""
