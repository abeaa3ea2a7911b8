"""The tables. Importing this package registers all of them in `METADATA`, which migrations are compared with.

Invariant: a table exists here and in a migration, or in neither (a test compares them).
"""

from structforge.storage.tables.artifacts import ArtifactRow
from structforge.storage.tables.columns import Row, utc_now
from structforge.storage.tables.connections import ConnectionRow
from structforge.storage.tables.drafts import DraftNodeRow
from structforge.storage.tables.limits import RunLimitRow
from structforge.storage.tables.organizations import AuditEntryRow, OrganizationRow, UserOrganizationRow
from structforge.storage.tables.runs import (
    AnswerRow,
    EventBatchRow,
    IdempotencyKeyRow,
    LogRow,
    OutboxRow,
    RunRow,
    StepRow,
)
from structforge.storage.tables.triggers import TriggerRow
from structforge.storage.tables.users import (
    PermissionRow,
    RefreshTokenRow,
    RolePermissionRow,
    RoleRow,
    UserRoleRow,
    UserRow,
)
from structforge.storage.tables.workers import WorkerHeartbeatRow
from structforge.storage.tables.workflows import (
    WorkflowEdgeRow,
    WorkflowNodeRow,
    WorkflowRow,
    WorkflowVersionRow,
)

METADATA = Row.metadata

__all__ = [
    "METADATA",
    "AnswerRow",
    "ArtifactRow",
    "AuditEntryRow",
    "ConnectionRow",
    "DraftNodeRow",
    "EventBatchRow",
    "IdempotencyKeyRow",
    "LogRow",
    "OrganizationRow",
    "OutboxRow",
    "PermissionRow",
    "RefreshTokenRow",
    "RolePermissionRow",
    "RoleRow",
    "RunLimitRow",
    "RunRow",
    "StepRow",
    "TriggerRow",
    "UserOrganizationRow",
    "UserRoleRow",
    "UserRow",
    "WorkerHeartbeatRow",
    "WorkflowEdgeRow",
    "WorkflowNodeRow",
    "WorkflowRow",
    "WorkflowVersionRow",
    "utc_now",
]
