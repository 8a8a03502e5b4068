"""The version of the tables, and where a ledger keeps it."""

REVISION = "0005"
"""The newest migration."""
VERSION_TABLE = "joulecast_version"
