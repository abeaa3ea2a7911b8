"""The engine's role may add to the audit trail: what it does to a run is noted in the transaction that does it.

It may neither read nor change the trail. Locks: `audit_entries` in ACCESS EXCLUSIVE mode for the moment a policy takes.
"""

from alembic import context, op

from structforge.storage.roles import Roles, quoted

revision = "20261125_trail_of_deeds"
down_revision = "20261125_draft_nodes_kept"
branch_labels = None
depends_on = None


def upgrade() -> None:
    roles: Roles = context.config.attributes["roles"]
    engine = quoted(roles.engine)
    op.execute(f"CREATE POLICY engine_adds ON audit_entries FOR INSERT TO {engine} WITH CHECK (true)")
    op.execute(f"GRANT INSERT ON audit_entries TO {engine}")


def downgrade() -> None:
    roles: Roles = context.config.attributes["roles"]
    op.execute(f"REVOKE INSERT ON audit_entries FROM {quoted(roles.engine)}")
    op.execute("DROP POLICY engine_adds ON audit_entries")
