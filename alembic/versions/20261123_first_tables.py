"""The first tables: people, organizations, workflows, runs, artifacts; their roles, policies and functions.

Locks: nothing; all tables are new.
"""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from alembic import context, op
from sqlalchemy.dialects import postgresql

from structforge.storage.roles import Roles, callable_by, protect, quoted

revision = "20261123_first_tables"
down_revision = None
branch_labels = None
depends_on = None

ALL = "SELECT, INSERT, UPDATE, DELETE"
READ = "SELECT"

TENANT_TABLES = {
    # table: (column, privileges of app, privileges of engine)
    "organizations": ("id", "SELECT, INSERT, UPDATE", ""),
    "user_organizations": ("organization_id", ALL, ""),
    "user_roles": ("organization_id", ALL, ""),
    "refresh_tokens": ("organization_id", ALL, ""),
    "audit_entries": ("organization_id", "SELECT, INSERT", ""),
    "workflows": ("organization_id", ALL, ""),
    "workflow_versions": ("organization_id", "SELECT, INSERT", READ),
    "workflow_nodes": ("organization_id", ALL, ""),
    "workflow_edges": ("organization_id", ALL, ""),
    "workflow_executions": ("organization_id", ALL, ALL),
    "execution_steps": ("organization_id", READ, ALL),
    "execution_logs": ("organization_id", READ, ALL),
    "execution_events": ("organization_id", READ, ALL),
    "run_outbox": ("organization_id", ALL, ALL),
    "idempotency_keys": ("organization_id", ALL, ALL),
    "artifacts": ("organization_id", ALL, ALL),
}

PARTITIONED = ("execution_steps", "execution_logs", "execution_events")

DEFINER = "SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp"

# What must be known before the organization is: each answers one question and nothing else.
LOOK_UPS = {
    "auth_user_by_email(text)": f"""
        CREATE FUNCTION auth_user_by_email(wanted text)
        RETURNS TABLE (id uuid, email text, name text, password_hash text, active boolean)
        LANGUAGE sql STABLE {DEFINER} AS $$
            SELECT u.id, u.email, u.name, u.password_hash, u.active FROM users u WHERE u.email = lower(wanted)
        $$
    """,
    "auth_memberships(uuid)": f"""
        CREATE FUNCTION auth_memberships(wanted uuid)
        RETURNS TABLE (organization_id uuid, name text, slug text, roles text[])
        LANGUAGE sql STABLE {DEFINER} AS $$
            SELECT o.id, o.name, o.slug,
                   array(SELECT r.role FROM user_roles r
                         WHERE r.organization_id = m.organization_id AND r.user_id = m.user_id
                         ORDER BY r.role)
            FROM user_organizations m JOIN organizations o ON o.id = m.organization_id
            WHERE m.user_id = wanted
            ORDER BY m.joined_at, o.id
        $$
    """,
    "auth_refresh_token(text)": f"""
        CREATE FUNCTION auth_refresh_token(wanted_hash text)
        RETURNS TABLE (id uuid, family_id uuid, organization_id uuid, user_id uuid, expires_at timestamptz,
                       used_at timestamptz, revoked_at timestamptz, user_active boolean)
        LANGUAGE sql STABLE {DEFINER} AS $$
            SELECT t.id, t.family_id, t.organization_id, t.user_id, t.expires_at, t.used_at, t.revoked_at,
                   u.active
            FROM refresh_tokens t JOIN users u ON u.id = t.user_id WHERE t.token_hash = wanted_hash
        $$
    """,
    "auth_revoke_sessions(uuid)": f"""
        CREATE FUNCTION auth_revoke_sessions(wanted uuid) RETURNS integer
        LANGUAGE sql VOLATILE {DEFINER} AS $$
            WITH revoked AS (
                UPDATE refresh_tokens SET revoked_at = now()
                WHERE user_id = wanted AND revoked_at IS NULL RETURNING 1
            )
            SELECT count(*)::integer FROM revoked
        $$
    """,
    "auth_any_user()": f"""
        CREATE FUNCTION auth_any_user() RETURNS boolean
        LANGUAGE sql STABLE {DEFINER} AS $$ SELECT EXISTS (SELECT FROM users) $$
    """,
}

NAMES = ", ".join(f"'{table}'" for table in PARTITIONED)

ENSURE_PARTITIONS = f"""
    CREATE FUNCTION ensure_partitions(from_date date, to_date date) RETURNS integer
    LANGUAGE plpgsql {DEFINER} SET lock_timeout = 0 AS $$
    DECLARE
        parent text;
        part text;
        spare text;
        day date;
        made integer := 0;
    BEGIN
        IF to_date - from_date > 400 THEN
            RAISE EXCEPTION 'ensure_partitions: % to % is more than 400 days', from_date, to_date;
        END IF;
        PERFORM pg_advisory_xact_lock(hashtext('structforge.partitions'));
        -- Shorter than deadlock_timeout: if writers hold the default partitions in another order, it is this
        -- call that gives up and is tried again, never a worker's commit.
        PERFORM set_config('lock_timeout', '500ms', true);
        FOR day IN SELECT from_date + n FROM generate_series(0, to_date - from_date) n LOOP
            FOREACH parent IN ARRAY ARRAY[{NAMES}] LOOP
                part := parent || '_p' || to_char(day, 'YYYYMMDD');
                CONTINUE WHEN to_regclass('public.' || part) IS NOT NULL;
                spare := parent || '_pdefault';
                -- Made apart and attached: CREATE ... PARTITION OF would lock out every reader and writer.
                EXECUTE format('CREATE TABLE public.%I (LIKE public.%I INCLUDING ALL)', part, parent);
                EXECUTE format('LOCK TABLE public.%I IN ACCESS EXCLUSIVE MODE', spare);
                EXECUTE format(
                    'WITH moved AS (DELETE FROM public.%I WHERE accepted_on = $1 RETURNING *)
                     INSERT INTO public.%I SELECT * FROM moved', spare, part) USING day;
                EXECUTE format(
                    'ALTER TABLE public.%I ATTACH PARTITION public.%I FOR VALUES FROM (%L) TO (%L)',
                    parent, part, day, day + 1);
                made := made + 1;
            END LOOP;
        END LOOP;
        RETURN made;
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

PARTITION_FUNCTIONS = ("ensure_partitions(date, date)", "drop_partitions(date)")


def upgrade() -> None:
    roles: Roles = context.config.attributes["roles"]
    _create_tables()
    for table, (column, app, engine) in TENANT_TABLES.items():
        _run(*protect(table, roles, column=column, app=app, engine=engine))
    _protect_users(roles)
    app, engine = quoted(roles.app), quoted(roles.engine)
    _run(
        f"GRANT USAGE ON SCHEMA public TO {app}, {engine}",
        f"GRANT SELECT ON roles, permissions, role_permissions TO {app}",
        f"GRANT SELECT ON worker_heartbeats TO {app}",
        f"GRANT {ALL} ON worker_heartbeats TO {engine}",
        f"GRANT SELECT ON alembic_version TO {app}, {engine}",
    )
    for function, statement in LOOK_UPS.items():
        _run(statement, *callable_by(function, roles.app))
    for table in PARTITIONED:
        _run(f"CREATE TABLE {table}_pdefault PARTITION OF {table} DEFAULT")
    _run(ENSURE_PARTITIONS, DROP_PARTITIONS)
    for function in PARTITION_FUNCTIONS:
        _run(*callable_by(function, roles.engine))
    today = datetime.now(UTC).date()
    op.execute(
        sa.text("SELECT ensure_partitions(:first, :last)").bindparams(
            first=today - timedelta(days=1), last=today + timedelta(days=7)
        )
    )


def downgrade() -> None:
    roles: Roles = context.config.attributes["roles"]
    for function in (*PARTITION_FUNCTIONS, *LOOK_UPS):
        op.execute(f"DROP FUNCTION {function}")
    op.drop_constraint("fk_workflows_published_version_id", "workflows")
    _run("DROP POLICY members_read ON users", "DROP POLICY members_change ON users")
    for table in (
        "workflow_nodes",
        "workflow_edges",
        "workflow_versions",
        "workflows",
        "user_roles",
        "user_organizations",
        "role_permissions",
        "refresh_tokens",
        "users",
        "workflow_executions",
        "worker_heartbeats",
        "run_outbox",
        "roles",
        "permissions",
        "organizations",
        "idempotency_keys",
        "execution_steps",
        "execution_logs",
        "execution_events",
        "audit_entries",
        "artifacts",
    ):
        op.drop_table(table)
    op.execute(f"REVOKE SELECT ON alembic_version FROM {quoted(roles.app)}, {quoted(roles.engine)}")


def _run(*statements: str) -> None:
    for statement in statements:
        op.execute(statement)


def _protect_users(roles: Roles) -> None:
    # The sub-select is itself under row-level security: it gives the members of the current organization.
    members = "id IN (SELECT user_id FROM user_organizations)"
    app = quoted(roles.app)
    _run(
        "ALTER TABLE users ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE users FORCE ROW LEVEL SECURITY",
        "CREATE POLICY owner_all ON users TO CURRENT_USER USING (true) WITH CHECK (true)",
        f"CREATE POLICY members_read ON users FOR SELECT TO {app} USING ({members})",
        f"CREATE POLICY members_change ON users FOR UPDATE TO {app} USING ({members})",
        f"CREATE POLICY anyone_joins ON users FOR INSERT TO {app} WITH CHECK (true)",
        f"GRANT SELECT, INSERT, UPDATE ON users TO {app}",
    )


def _create_tables() -> None:
    op.create_table(
        "artifacts",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column(
            "last_used_at", sa.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("organization_id", "hash", name="pk_artifacts"),
    )
    op.create_table(
        "audit_entries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("actor", sa.Text(), server_default="", nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("object_type", sa.Text(), server_default="", nullable=False),
        sa.Column("object_id", sa.Text(), server_default="", nullable=False),
        sa.Column("details", postgresql.JSONB(), server_default="{}", nullable=False),
        sa.Column("address", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit_entries"),
    )
    op.create_index(
        "ix_audit_entries_newest",
        "audit_entries",
        ["organization_id", sa.literal_column("at DESC"), sa.literal_column("id DESC")],
        unique=False,
    )
    op.create_table(
        "execution_events",
        sa.Column("accepted_on", sa.Date(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("first_seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("last_seq", sa.Integer(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("events", sa.JSON(none_as_null=True), nullable=False),
        sa.PrimaryKeyConstraint("accepted_on", "run_id", "first_seq", name="pk_execution_events"),
        postgresql_partition_by="RANGE (accepted_on)",
    )
    op.create_table(
        "execution_logs",
        sa.Column("accepted_on", sa.Date(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("step_key", sa.Text(), nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=True),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("fields", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("accepted_on", "run_id", "seq", name="pk_execution_logs"),
        postgresql_partition_by="RANGE (accepted_on)",
    )
    op.create_table(
        "execution_steps",
        sa.Column("accepted_on", sa.Date(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("step_key", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("node_id", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("settled", sa.Boolean(), nullable=False),
        sa.Column("outputs", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("error", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("started_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("finished_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("input_hash", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("accepted_on", "run_id", "step_key", "attempt", name="pk_execution_steps"),
        postgresql_partition_by="RANGE (accepted_on)",
    )
    op.create_index(
        "uq_execution_steps_settled",
        "execution_steps",
        ["accepted_on", "run_id", "step_key"],
        unique=True,
        postgresql_where=sa.text("settled"),
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("body_hash", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "route", "key", name="pk_idempotency_keys"),
    )
    op.create_index("ix_idempotency_keys_expires_at", "idempotency_keys", ["expires_at"], unique=False)
    op.create_table(
        "organizations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_organizations"),
        sa.UniqueConstraint("slug", name="uq_organizations_slug"),
    )
    op.create_table(
        "permissions",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_permissions"),
    )
    op.create_table(
        "roles",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), server_default="", nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_roles"),
    )
    op.create_table(
        "run_outbox",
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("workflow_id", sa.Uuid(), nullable=False),
        sa.Column("accepted_on", sa.Date(), nullable=False),
        sa.Column("priority", sa.SmallInteger(), server_default="1", nullable=False),
        sa.Column(
            "available_at", sa.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("announced_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("epoch", sa.Integer(), server_default="0", nullable=False),
        sa.Column("lease_expires_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("deaths", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("control", sa.Text(), nullable=True),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("run_id", name="pk_run_outbox"),
        postgresql_with={
            "fillfactor": "50",
            "autovacuum_vacuum_scale_factor": "0.0",
            "autovacuum_vacuum_threshold": "2000",
            "autovacuum_vacuum_insert_scale_factor": "0.0",
            "autovacuum_vacuum_insert_threshold": "20000",
            "autovacuum_vacuum_cost_delay": "0",
        },
    )
    op.create_index(
        "ix_run_outbox_claimable",
        "run_outbox",
        ["priority", "available_at", "run_id"],
        unique=False,
        postgresql_where=sa.text("owner IS NULL"),
    )
    op.create_index(
        "ix_run_outbox_leased",
        "run_outbox",
        ["lease_expires_at"],
        unique=False,
        postgresql_where=sa.text("owner IS NOT NULL"),
    )
    op.create_table(
        "users",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("active", sa.Boolean(), server_default="true", nullable=False),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("last_sign_in_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.CheckConstraint("email = lower(email)", name="ck_users_email_lower"),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("email", name="uq_users_email"),
    )
    op.create_table(
        "worker_heartbeats",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("started_at", sa.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("seen_at", sa.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("details", postgresql.JSONB(), server_default="{}", nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_worker_heartbeats"),
    )
    op.create_table(
        "workflow_executions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("workflow_id", sa.Uuid(), nullable=False),
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("accepted_on", sa.Date(), nullable=False),
        sa.Column("accepted_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("trigger_kind", sa.Text(), nullable=False),
        sa.Column("trigger_node", sa.Text(), nullable=True),
        sa.Column("priority", sa.SmallInteger(), server_default="1", nullable=False),
        sa.Column("input", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("output", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("error", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("started_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("finished_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("parent_run_id", sa.Uuid(), nullable=True),
        sa.Column("origin_run_id", sa.Uuid(), nullable=True),
        sa.Column("origin_kind", sa.Text(), nullable=True),
        sa.Column("event_seq", sa.Integer(), server_default="0", nullable=False),
        sa.Column("step_count", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_workflow_executions"),
        postgresql_with={"fillfactor": "80"},
    )
    op.create_index(
        "ix_workflow_executions_newest",
        "workflow_executions",
        ["organization_id", sa.literal_column("accepted_at DESC"), sa.literal_column("id DESC")],
        unique=False,
    )
    op.create_index(
        "ix_workflow_executions_of_workflow",
        "workflow_executions",
        ["organization_id", "workflow_id", sa.literal_column("accepted_at DESC")],
        unique=False,
    )
    op.create_index(
        "ix_workflow_executions_open",
        "workflow_executions",
        ["organization_id", "status"],
        unique=False,
        postgresql_where=sa.text("status NOT IN ('succeeded', 'failed', 'cancelled')"),
    )
    op.create_table(
        "refresh_tokens",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("family_id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("used_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("user_agent", sa.Text(), server_default="", nullable=False),
        sa.Column("address", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name="fk_refresh_tokens_organization_id"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_refresh_tokens_user_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_refresh_tokens"),
        sa.UniqueConstraint("token_hash", name="uq_refresh_tokens_token_hash"),
    )
    op.create_index("ix_refresh_tokens_expires_at", "refresh_tokens", ["expires_at"], unique=False)
    op.create_index("ix_refresh_tokens_family_id", "refresh_tokens", ["family_id"], unique=False)
    op.create_index("ix_refresh_tokens_user_id", "refresh_tokens", ["user_id"], unique=False)
    op.create_table(
        "role_permissions",
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("permission", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["permission"], ["permissions.name"], name="fk_role_permissions_permission"),
        sa.ForeignKeyConstraint(["role"], ["roles.name"], name="fk_role_permissions_role"),
        sa.PrimaryKeyConstraint("role", "permission", name="pk_role_permissions"),
    )
    op.create_table(
        "user_organizations",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("joined_at", sa.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name="fk_user_organizations_organization_id"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_user_organizations_user_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("organization_id", "user_id", name="pk_user_organizations"),
    )
    op.create_index("ix_user_organizations_user_id", "user_organizations", ["user_id"], unique=False)
    op.create_table(
        "workflows",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("folder", sa.Text(), server_default="", nullable=False),
        sa.Column("tags", postgresql.JSONB(), server_default="[]", nullable=False),
        sa.Column("draft", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("draft_revision", sa.Integer(), server_default="1", nullable=False),
        sa.Column("published_version_id", sa.Uuid(), nullable=True),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_by", sa.Uuid(), nullable=True),
        sa.Column("deleted_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name="fk_workflows_organization_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_workflows"),
    )
    op.create_index(
        "ix_workflows_newest",
        "workflows",
        ["organization_id", sa.literal_column("updated_at DESC"), sa.literal_column("id DESC")],
        unique=False,
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_table(
        "user_roles",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id", "user_id"],
            ["user_organizations.organization_id", "user_organizations.user_id"],
            name="fk_user_roles_organization_id_user_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["role"], ["roles.name"], name="fk_user_roles_role"),
        sa.PrimaryKeyConstraint("organization_id", "user_id", "role", name="pk_user_roles"),
    )
    op.create_table(
        "workflow_versions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("workflow_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=True),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("document", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name="fk_workflow_versions_organization_id"
        ),
        sa.ForeignKeyConstraint(["workflow_id"], ["workflows.id"], name="fk_workflow_versions_workflow_id"),
        sa.PrimaryKeyConstraint("id", name="pk_workflow_versions"),
    )
    op.create_index(
        "uq_workflow_versions_draft_copy",
        "workflow_versions",
        ["workflow_id", "content_hash"],
        unique=True,
        postgresql_where=sa.text("number IS NULL"),
    )
    op.create_index(
        "uq_workflow_versions_number", "workflow_versions", ["workflow_id", "number"], unique=True
    )
    op.create_table(
        "workflow_edges",
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("source_port", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("target_port", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["version_id"], ["workflow_versions.id"], name="fk_workflow_edges_version_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint(
            "version_id", "source", "source_port", "target", "target_port", name="pk_workflow_edges"
        ),
    )
    op.create_table(
        "workflow_nodes",
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("node_id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("type_version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("title", sa.Text(), server_default="", nullable=False),
        sa.Column("connections", postgresql.JSONB(), server_default="[]", nullable=False),
        sa.ForeignKeyConstraint(
            ["version_id"], ["workflow_versions.id"], name="fk_workflow_nodes_version_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("version_id", "node_id", name="pk_workflow_nodes"),
    )
    op.create_index(
        "ix_workflow_nodes_organization_id_type", "workflow_nodes", ["organization_id", "type"], unique=False
    )
    op.create_foreign_key(
        "fk_workflows_published_version_id",
        "workflows",
        "workflow_versions",
        ["published_version_id"],
        ["id"],
    )
