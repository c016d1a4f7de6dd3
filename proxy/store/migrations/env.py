"""Alembic runs this file. It migrates over the connection it is given, inside that connection's transaction."""

from alembic import context

from proxy.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite changes a table by copying it
)
with context.begin_transaction():
    context.run_migrations()
