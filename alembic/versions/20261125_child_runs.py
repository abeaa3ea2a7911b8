"""Runs started by runs: the step that called, whether it waits, how deep.

Locks: `workflow_executions` against writes while its two small partial indexes are built (the new columns have
constant defaults and rewrite nothing).
"""

import sqlalchemy as sa
from alembic import context, op

from structforge.storage.roles import Roles, callable_by

revision = "20261125_child_runs"
down_revision = "20261124_triggers"
branch_labels = None
depends_on = None

DEFINER = "SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp"

# The engine sees no workflows, only what a call needs of them, and only within the caller's organization.
CALLEE = f"""
    CREATE FUNCTION callee(wanted_organization uuid, wanted text, wanted_number integer)
    RETURNS TABLE (workflow_id uuid, published_version_id uuid, version_id uuid)
    LANGUAGE sql STABLE {DEFINER} AS $$
        SELECT w.id, w.published_version_id,
               (SELECT v.id FROM workflow_versions v WHERE v.workflow_id = w.id AND v.number = wanted_number)
        FROM workflows w
        WHERE w.organization_id = wanted_organization AND w.deleted_at IS NULL
            AND (w.id::text = lower(wanted) OR w.name = wanted)
        ORDER BY (w.id::text = lower(wanted)) DESC, w.id LIMIT 2
    $$
"""

CALLEE_DRAFT = f"""
    CREATE FUNCTION callee_draft(wanted_organization uuid, wanted uuid) RETURNS text
    LANGUAGE sql STABLE {DEFINER} AS $$
        SELECT w.draft::text FROM workflows w
        WHERE w.organization_id = wanted_organization AND w.id = wanted AND w.deleted_at IS NULL
    $$
"""

FREEZE_DRAFT = f"""
    CREATE FUNCTION freeze_draft(
        new_id uuid, wanted_organization uuid, wanted uuid, new_hash text, new_document json, by_user uuid
    ) RETURNS uuid LANGUAGE sql VOLATILE {DEFINER} AS $$
        INSERT INTO workflow_versions AS v (id, organization_id, workflow_id, content_hash, document, created_by)
        SELECT new_id, w.organization_id, w.id, new_hash, new_document, by_user
        FROM workflows w WHERE w.organization_id = wanted_organization AND w.id = wanted
        ON CONFLICT (workflow_id, content_hash) WHERE number IS NULL
            DO UPDATE SET content_hash = excluded.content_hash
        RETURNING v.id
    $$
"""

FUNCTIONS = {
    "callee(uuid, text, integer)": CALLEE,
    "callee_draft(uuid, uuid)": CALLEE_DRAFT,
    "freeze_draft(uuid, uuid, uuid, text, json, uuid)": FREEZE_DRAFT,
}

OPEN = "parent_waits AND status NOT IN ('succeeded', 'failed', 'cancelled')"


def upgrade() -> None:
    op.add_column("workflow_executions", sa.Column("parent_step_key", sa.Text(), nullable=True))
    op.add_column(
        "workflow_executions",
        sa.Column("parent_waits", sa.Boolean(), server_default="false", nullable=False),
    )
    op.add_column(
        "workflow_executions", sa.Column("depth", sa.SmallInteger(), server_default="0", nullable=False)
    )
    op.create_index(
        "ix_workflow_executions_children",
        "workflow_executions",
        ["parent_run_id"],
        postgresql_where=sa.text("parent_run_id IS NOT NULL"),
    )
    op.create_index(
        "ix_workflow_executions_awaited", "workflow_executions", ["id"], postgresql_where=sa.text(OPEN)
    )
    roles: Roles = context.config.attributes["roles"]
    for function, statement in FUNCTIONS.items():
        for part in (statement, *callable_by(function, roles.engine)):
            op.execute(part)


def downgrade() -> None:
    for function in FUNCTIONS:
        op.execute(f"DROP FUNCTION {function}")
    op.drop_index("ix_workflow_executions_awaited", "workflow_executions")
    op.drop_index("ix_workflow_executions_children", "workflow_executions")
    for column in ("depth", "parent_waits", "parent_step_key"):
        op.drop_column("workflow_executions", column)
