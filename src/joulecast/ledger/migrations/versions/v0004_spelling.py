"""American spelling in stored names: `utilization_pct`, `randomized`, `maximize`."""

from ...database import Connection

# Table, column, and the text there before and after. The quotes and the slash keep what users
# wrote (names, tags, metrics) as it is.
_GAUGE = ("/utilisation_pct", "/utilization_pct")
_RENAMED = (
    ("joulecast_chunks", "domain", *_GAUGE),
    ("joulecast_gaps", "domain", *_GAUGE),
    ("joulecast_runs", "header", f'{_GAUGE[0]}"', f'{_GAUGE[1]}"'),
    ("joulecast_trials", "figures", '"gpu_utilisation_pct"', '"gpu_utilization_pct"'),
    ("joulecast_trials", "figures", '"cpu_utilisation_pct"', '"cpu_utilization_pct"'),
    ("joulecast_studies", "document", '"order":"randomised"', '"order":"randomized"'),
    ("joulecast_studies", "document", '"maximise":', '"maximize":'),
)


def upgrade(connection: Connection) -> None:
    """Rename."""
    for table, column, before, after in _RENAMED:
        rename = (
            f"UPDATE {table} SET {column} = REPLACE({column}, :before, :after) "
            f"WHERE {column} LIKE :pattern"
        )
        values = {"before": before, "after": after, "pattern": f"%{before}%"}
        connection.execute(rename, values)
