"""Runs migrations on the connection that `structforge/storage/migrate.py` hands over.

Invariant: it opens no connection and reads no environment; without a connection it refuses to run.
"""

from alembic import context

from structforge.storage.migrate import included
from structforge.storage.tables import METADATA

connection = context.config.attributes.get("connection")
if connection is None:
    raise RuntimeError("run migrations with `structforge db upgrade`: it knows the database and the roles")

context.configure(
    connection=connection,
    target_metadata=METADATA,
    include_object=included,
    compare_type=True,
    compare_server_default=True,
)
with context.begin_transaction():
    context.run_migrations()
