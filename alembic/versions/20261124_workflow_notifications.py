"""Tell every process when a workflow's published version or existence changes.

Locks: `workflows` against writers for the moment in which the trigger is made.
"""

from alembic import op

revision = "20261124_workflow_notifications"
down_revision = "20261123_first_tables"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the trigger; its channel is the one `services/targets.py` listens on."""
    op.execute(
        """
        CREATE FUNCTION tell_workflow_change() RETURNS trigger
        LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
        BEGIN
            PERFORM pg_notify('structforge_workflows', OLD.id::text);
            RETURN NULL;
        END
        $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER tell_change AFTER UPDATE ON workflows FOR EACH ROW
        WHEN (OLD.published_version_id IS DISTINCT FROM NEW.published_version_id
              OR OLD.deleted_at IS DISTINCT FROM NEW.deleted_at)
        EXECUTE FUNCTION tell_workflow_change()
        """
    )


def downgrade() -> None:
    """Remove the trigger and its function."""
    op.execute("DROP TRIGGER tell_change ON workflows")
    op.execute("DROP FUNCTION tell_workflow_change()")
