"""How Alembic runs here: on the connection, and in the transaction, that the ledger hands it."""

from alembic import context

from joulecast.ledger.schema import VERSION_TABLE, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    render_as_batch=True,  # SQLite changes a table by copying it
)
context.run_migrations()
