"""The verb study and its sub-verbs."""
