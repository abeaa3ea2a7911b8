"""Triggers: the addresses of webhooks, their sealed secrets, and the look-up by path.

Locks: nothing; the table is new.
"""

import sqlalchemy as sa
from alembic import context, op

from structforge.storage.roles import Roles, callable_by, protect

revision = "20261124_triggers"
down_revision = "20261124_run_answers"
branch_labels = None
depends_on = None

HOOK_BY_PATH = """
    CREATE FUNCTION auth_hook_by_path(wanted text)
    RETURNS TABLE (id uuid, organization_id uuid, workflow_id uuid, node_id text, enabled boolean, secret text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
        SELECT t.id, t.organization_id, t.workflow_id, t.node_id, t.enabled, t.secret
        FROM triggers t JOIN workflows w ON w.id = t.workflow_id
        WHERE t.path = wanted AND w.deleted_at IS NULL
    $$
"""


def upgrade() -> None:
    roles: Roles = context.config.attributes["roles"]
    op.create_table(
        "triggers",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("workflow_id", sa.Uuid(), nullable=False),
        sa.Column("node_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("secret", sa.Text(), nullable=True),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_triggers"),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name="fk_triggers_organization_id"
        ),
        sa.ForeignKeyConstraint(["workflow_id"], ["workflows.id"], name="fk_triggers_workflow_id"),
    )
    op.create_index("uq_triggers_path", "triggers", ["path"], unique=True)
    op.create_index("uq_triggers_node", "triggers", ["workflow_id", "node_id"], unique=True)
    statements = [
        *protect("triggers", roles, app="SELECT, INSERT, UPDATE, DELETE"),
        HOOK_BY_PATH,
        *callable_by("auth_hook_by_path(text)", roles.app),
    ]
    for statement in statements:
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP FUNCTION auth_hook_by_path(text)")
    op.drop_table("triggers")
