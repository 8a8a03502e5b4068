"""Alembic's home: `env.py` and one file per schema version."""
