"""Sensors against a plug: power at the wall from the meters."""
