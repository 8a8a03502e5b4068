"""How far a run is, read from what it prints: bytes, then sightings, then positions."""
