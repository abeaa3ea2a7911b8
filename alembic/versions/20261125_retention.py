"""Retention: partitions go one at a time and only past their runs' time; runs are found by day.

Locks: writes to `workflow_executions` while the index on its days is built (seconds for millions of rows).
"""

from alembic import context, op

from structforge.storage.roles import Roles, callable_by

revision = "20261125_retention"
down_revision = "20261125_child_runs"
branch_labels = None
depends_on = None

DEFINER = "SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp"
PARTITIONED = ("execution_steps", "execution_logs", "execution_events")
NAMES = ", ".join(f"'{table}'" for table in PARTITIONED)

RETIRABLE_DAYS = f"""
    CREATE FUNCTION retirable_days(before date) RETURNS SETOF date
    LANGUAGE sql STABLE {DEFINER} AS $$
        SELECT to_date(right(c.relname, 8), 'YYYYMMDD') AS day
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_class p ON p.oid = i.inhparent
        WHERE p.relnamespace = 'public'::regnamespace AND p.relname IN ({NAMES})
            AND c.relname ~ '_p[0-9]{{8}}$' AND to_date(right(c.relname, 8), 'YYYYMMDD') <= before
        UNION SELECT accepted_on FROM execution_steps_pdefault WHERE accepted_on <= before
        UNION SELECT accepted_on FROM execution_logs_pdefault WHERE accepted_on <= before
        UNION SELECT accepted_on FROM execution_events_pdefault WHERE accepted_on <= before
        ORDER BY day
    $$
"""

RETIRE_PARTITION = f"""
    CREATE FUNCTION retire_partition(parent text, day date, before timestamptz) RETURNS boolean
    LANGUAGE plpgsql {DEFINER} SET lock_timeout = 0 AS $$
    DECLARE
        part text := parent || '_p' || to_char(day, 'YYYYMMDD');
    BEGIN
        IF NOT parent = ANY (ARRAY[{NAMES}]) THEN
            RAISE EXCEPTION 'retire_partition: % has no partitions by day', parent;
        END IF;
        IF day >= (now() AT TIME ZONE 'UTC')::date - 1 THEN
            RETURN false;
        END IF;
        IF EXISTS (
            SELECT FROM workflow_executions
            WHERE accepted_on = day AND (status NOT IN ('succeeded', 'failed', 'cancelled')
                OR coalesce(finished_at, accepted_at) >= before)
        ) THEN
            RETURN false;
        END IF;
        PERFORM pg_advisory_xact_lock(hashtext('structforge.partitions'));
        -- Whoever writes waits behind us for as long as we wait for the table: hardly at all, and again later.
        PERFORM set_config('lock_timeout', '20ms', true);
        IF to_regclass('public.' || part) IS NOT NULL THEN
            -- First the partition alone, whose lock a vacuum may hold: nobody writes to a day that is over.
            EXECUTE format('LOCK TABLE public.%I IN ACCESS EXCLUSIVE MODE', part);
            EXECUTE format('DROP TABLE public.%I', part);
        END IF;
        EXECUTE format('DELETE FROM public.%I WHERE accepted_on = $1', parent || '_pdefault') USING day;
        RETURN true;
    END $$
"""

DROP_PARTITIONS = f"""
    CREATE FUNCTION drop_partitions(day date) RETURNS boolean
    LANGUAGE plpgsql {DEFINER} SET lock_timeout = 0 AS $$
    DECLARE
        parent text;
    BEGIN
        IF day >= (now() AT TIME ZONE 'UTC')::date - 1 THEN
            RETURN false;
        END IF;
        IF EXISTS (
            SELECT FROM workflow_executions
            WHERE accepted_on = day AND status NOT IN ('succeeded', 'failed', 'cancelled')
        ) THEN
            RETURN false;
        END IF;
        PERFORM pg_advisory_xact_lock(hashtext('structforge.partitions'));
        PERFORM set_config('lock_timeout', '500ms', true);
        FOREACH parent IN ARRAY ARRAY[{NAMES}] LOOP
            EXECUTE format('DROP TABLE IF EXISTS public.%I', parent || '_p' || to_char(day, 'YYYYMMDD'));
            EXECUTE format('DELETE FROM public.%I WHERE accepted_on = $1', parent || '_pdefault') USING day;
        END LOOP;
        RETURN true;
    END $$
"""


def upgrade() -> None:
    roles: Roles = context.config.attributes["roles"]
    op.create_index("ix_workflow_executions_day", "workflow_executions", ["accepted_on"], unique=False)
    for statement in (
        "DROP FUNCTION drop_partitions(date)",
        RETIRABLE_DAYS,
        *callable_by("retirable_days(date)", roles.engine),
        RETIRE_PARTITION,
        *callable_by("retire_partition(text, date, timestamptz)", roles.engine),
    ):
        op.execute(statement)


def downgrade() -> None:
    roles: Roles = context.config.attributes["roles"]
    for statement in (
        "DROP FUNCTION retire_partition(text, date, timestamptz)",
        "DROP FUNCTION retirable_days(date)",
        DROP_PARTITIONS,
        *callable_by("drop_partitions(date)", roles.engine),
    ):
        op.execute(statement)
    op.drop_index("ix_workflow_executions_day", table_name="workflow_executions")
