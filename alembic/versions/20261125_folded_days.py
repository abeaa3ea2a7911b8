"""Days that a run keeps: what is left of them moves into the default partition, and their partition goes.

Locks: nothing; a function is added.
"""

from alembic import context, op

from structforge.storage.roles import Roles, callable_by

revision = "20261125_folded_days"
down_revision = "20261125_connections"
branch_labels = None
depends_on = None

FOLD_PARTITION = """
    CREATE FUNCTION fold_partition(parent text, day date, most_rows integer, least_bytes bigint) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET lock_timeout = 0 AS $$
    DECLARE
        part text := parent || '_p' || to_char(day, 'YYYYMMDD');
        small boolean;
    BEGIN
        IF NOT parent = ANY (ARRAY['execution_steps', 'execution_logs', 'execution_events']) THEN
            RAISE EXCEPTION 'fold_partition: % has no partitions by day', parent;
        END IF;
        IF day >= (now() AT TIME ZONE 'UTC')::date - 1 OR to_regclass('public.' || part) IS NULL
            OR pg_total_relation_size(to_regclass('public.' || part)) < least_bytes THEN
            RETURN false;
        END IF;
        EXECUTE format('SELECT count(*) <= $1 FROM (SELECT FROM public.%I LIMIT $1 + 1) r', part)
            INTO small USING most_rows;
        IF NOT small THEN
            RETURN false;
        END IF;
        PERFORM pg_advisory_xact_lock(hashtext('structforge.partitions'));
        PERFORM set_config('lock_timeout', '20ms', true);
        EXECUTE format('LOCK TABLE public.%I IN ACCESS EXCLUSIVE MODE', part);
        EXECUTE format('ALTER TABLE public.%I DETACH PARTITION public.%I', parent, part);
        -- A run that writes at this moment waits for a few rows, and its own go to the default partition too.
        EXECUTE format('INSERT INTO public.%I SELECT * FROM public.%I', parent || '_pdefault', part);
        EXECUTE format('DROP TABLE public.%I', part);
        RETURN true;
    END $$
"""


def upgrade() -> None:
    roles: Roles = context.config.attributes["roles"]
    op.execute(FOLD_PARTITION)
    for statement in callable_by("fold_partition(text, date, integer, bigint)", roles.engine):
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP FUNCTION fold_partition(text, date, integer, bigint)")
