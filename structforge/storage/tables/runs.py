"""The hot tables: runs, their steps, logs and events, the outbox with its lease, idempotency keys.

Invariant: one settled row per run and step; an outbox row exists exactly while its run is not terminal.
No foreign keys: each would cost a look-up per insert on a path of thousands a second. Written by
`storage/journal_statement.py` in raw SQL, so the column names here are a contract.
"""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import TIMESTAMP, Computed, Index, Integer, SmallInteger, text
from sqlmodel import Field

from structforge.domain.ids import new_id
from structforge.storage.tables.columns import Row, identifier, moment, ordered_json, string

BY_DAY = "RANGE (accepted_on)"

NOT_TERMINAL = "status NOT IN ('succeeded', 'failed', 'cancelled')"


UNSUCCESSFUL = "status IN ('failed', 'cancelled')"


class RunRow(Row, table=True):
    """One execution of one version."""

    __tablename__ = "workflow_executions"
    __table_args__ = (
        Index("ix_workflow_executions_newest", "organization_id", text("accepted_at DESC"), text("id DESC")),
        Index(
            "ix_workflow_executions_of_workflow", "organization_id", "workflow_id", text("accepted_at DESC")
        ),
        Index(
            "ix_workflow_executions_open", "organization_id", "status", postgresql_where=text(NOT_TERMINAL)
        ),
        Index(
            "ix_workflow_executions_children",
            "parent_run_id",
            postgresql_where=text("parent_run_id IS NOT NULL"),
        ),
        Index(
            "ix_workflow_executions_awaited", "id", postgresql_where=text(f"parent_waits AND {NOT_TERMINAL}")
        ),
        # For retention. Many equal days: a few bytes a run, written at one end.
        Index("ix_workflow_executions_day", "accepted_on"),
        Index(
            "ix_workflow_executions_unsuccessful",
            "organization_id",
            "status",
            text("accepted_at DESC"),
            text("id DESC"),
            postgresql_where=text(UNSUCCESSFUL),
        ),
        Index(
            "ix_workflow_executions_origin",
            "origin_run_id",
            postgresql_where=text("origin_run_id IS NOT NULL"),
        ),
        # Room in each page lets the one or two updates of a run stay on it and touch no index but those of open
        # and unsuccessful runs.
        {"postgresql_with": {"fillfactor": "80"}},
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    organization_id: UUID
    workflow_id: UUID
    version_id: UUID
    accepted_on: date
    """UTC day of `accepted_at`; the partition its steps, logs and events are in."""
    accepted_at: datetime = moment()
    status: str = string()
    trigger_kind: str = string()
    trigger_node: str | None = string(null=True)
    priority: int = Field(default=1, sa_type=SmallInteger, sa_column_kwargs={"server_default": "1"})
    """0 high, 1 normal, 2 low."""
    input: Any = ordered_json()
    output: Any = ordered_json(null=True)
    error: Any = ordered_json(null=True)
    started_at: datetime | None = moment(null=True)
    finished_at: datetime | None = moment(null=True)
    created_by: UUID | None = identifier(null=True)
    parent_run_id: UUID | None = identifier(null=True)
    """The run that started it: as a call of another workflow, or by failing."""
    parent_step_key: str | None = string(null=True)
    """Of a call: the step that made it."""
    parent_waits: bool = Field(default=False, sa_column_kwargs={"server_default": "false"})
    """That step waits for the end: the end wakes the parent, and the parent's end stops this run."""
    depth: int = Field(default=0, sa_type=SmallInteger, sa_column_kwargs={"server_default": "0"})
    """Runs above it."""
    origin_run_id: UUID | None = identifier(null=True)
    origin_kind: str | None = string(null=True)
    event_seq: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    """Number of the last committed event."""
    step_count: int = Field(default=0, sa_column_kwargs={"server_default": "0"})


class StepRow(Row, table=True):
    """One attempt of one step."""

    __tablename__ = "execution_steps"
    __table_args__ = (
        Index(
            "uq_execution_steps_settled",
            "accepted_on",
            "run_id",
            "step_key",
            unique=True,
            postgresql_where=text("settled"),
        ),
        {"postgresql_partition_by": BY_DAY},
    )

    accepted_on: date = Field(primary_key=True)
    run_id: UUID = identifier(primary=True)
    step_key: str = string(primary_key=True)
    attempt: int = Field(primary_key=True, sa_type=Integer, sa_column_kwargs={"autoincrement": False})
    organization_id: UUID
    node_id: str = string()
    status: str = string()
    settled: bool
    """This attempt's outcome is the step's outcome."""
    outputs: Any = ordered_json(null=True)
    """`{"port": value}`."""
    error: Any = ordered_json(null=True)
    started_at: datetime | None = moment(null=True)
    finished_at: datetime | None = moment(null=True)
    input_hash: str | None = string(null=True)


class LogRow(Row, table=True):
    """A line of a run's log."""

    __tablename__ = "execution_logs"
    __table_args__ = ({"postgresql_partition_by": BY_DAY},)

    accepted_on: date = Field(primary_key=True)
    run_id: UUID = identifier(primary=True)
    seq: int = Field(primary_key=True, sa_type=Integer, sa_column_kwargs={"autoincrement": False})
    organization_id: UUID
    step_key: str | None = string(null=True)
    attempt: int | None = Field(default=None, sa_type=Integer, nullable=True)
    level: str = string()
    message: str = string()
    fields: Any = ordered_json(null=True)
    at: datetime = moment()


class EventBatchRow(Row, table=True):
    """The events of one commit, in order."""

    __tablename__ = "execution_events"
    __table_args__ = ({"postgresql_partition_by": BY_DAY},)

    accepted_on: date = Field(primary_key=True)
    run_id: UUID = identifier(primary=True)
    first_seq: int = Field(primary_key=True, sa_type=Integer, sa_column_kwargs={"autoincrement": False})
    last_seq: int
    organization_id: UUID
    events: Any = ordered_json()


class OutboxRow(Row, table=True):
    """ "This run wants a worker", and the lease of the worker that took it."""

    __tablename__ = "run_outbox"
    __table_args__ = (
        Index(
            "ix_run_outbox_turn",
            "workflow_id",
            "turn_at",
            "run_id",
            postgresql_where=text(
                "owner IS NULL AND isfinite(available_at) AND control IS DISTINCT FROM 'paused'"
            ),
        ),
        Index("ix_run_outbox_leased", "lease_expires_at", postgresql_where=text("owner IS NOT NULL")),
        # A queue: few rows live at a time and all of them change, so leave free space for updates in place,
        # and vacuum early and at full speed.
        {
            "postgresql_with": {
                "fillfactor": "50",
                "autovacuum_vacuum_scale_factor": "0.0",
                "autovacuum_vacuum_threshold": "2000",
                "autovacuum_vacuum_insert_scale_factor": "0.0",
                "autovacuum_vacuum_insert_threshold": "20000",
                "autovacuum_vacuum_cost_delay": "0",
            }
        },
    )

    run_id: UUID = identifier(primary=True)
    organization_id: UUID
    workflow_id: UUID
    accepted_on: date
    priority: int = Field(default=1, sa_type=SmallInteger, sa_column_kwargs={"server_default": "1"})
    available_at: datetime = moment(now=True)
    turn_at: datetime | None = Field(
        default=None,
        sa_type=TIMESTAMP,
        nullable=True,
        sa_column_args=(
            Computed(
                "(available_at AT TIME ZONE 'UTC'::text) + (priority)::double precision * '00:05:00'::interval",
                persisted=True,
            ),
        ),
    )
    """What orders the runs of an organization; see `storage/claims.py`."""
    announced_at: datetime | None = moment(null=True)
    owner: str | None = string(null=True)
    epoch: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    lease_expires_at: datetime | None = moment(null=True)
    deaths: int = Field(default=0, sa_type=SmallInteger, sa_column_kwargs={"server_default": "0"})
    control: str | None = string(null=True)
    """What was asked of the worker: `stop`, `pause`, or `answer` (one came in); `paused` when nobody may claim it."""
    created_at: datetime = moment(now=True)


class AnswerRow(Row, table=True):
    """What came in for a step that waited; kept, so that a step which is run again after a crash sees it too."""

    __tablename__ = "run_answers"

    run_id: UUID = identifier(primary=True)
    step_key: str = string(primary_key=True)
    organization_id: UUID
    answer: Any = ordered_json()
    answered_by: UUID | None = identifier(null=True)
    answered_at: datetime = moment(now=True)


class IdempotencyKeyRow(Row, table=True):
    """A caller's key, and the run it started."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (Index(None, "expires_at"),)

    organization_id: UUID = identifier(primary=True)
    route: str = string(primary_key=True)
    key: str = string(primary_key=True)
    body_hash: str = string()
    run_id: UUID
    created_at: datetime = moment(now=True)
    expires_at: datetime = moment()
