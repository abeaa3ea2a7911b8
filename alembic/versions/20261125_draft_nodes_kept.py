"""The sweep of artifacts looks at pinned values and last results of drafts.

Locks: `draft_nodes` for the moment a policy is added.
"""

from alembic import context, op

from structforge.storage.roles import Roles, quoted

revision = "20261125_draft_nodes_kept"
down_revision = "20261125_draft_nodes"
branch_labels = None
depends_on = None


def upgrade() -> None:
    roles: Roles = context.config.attributes["roles"]
    engine = quoted(roles.engine)
    op.execute(f"CREATE POLICY engine_all ON draft_nodes TO {engine} USING (true) WITH CHECK (true)")
    op.execute(f"GRANT SELECT ON draft_nodes TO {engine}")


def downgrade() -> None:
    roles: Roles = context.config.attributes["roles"]
    op.execute(f"REVOKE SELECT ON draft_nodes FROM {quoted(roles.engine)}")
    op.execute("DROP POLICY engine_all ON draft_nodes")
