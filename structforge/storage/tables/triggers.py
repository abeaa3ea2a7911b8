"""What starts a workflow from outside: derived from its document, beside the address and the secret.

Invariant: `secret` is an envelope of `security/cipher.py`, never a clear text.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index
from sqlmodel import Field

from structforge.domain.ids import new_id
from structforge.storage.tables.columns import Row, identifier, moment, string


class TriggerRow(Row, table=True):
    """A trigger node with an address of its own."""

    __tablename__ = "triggers"
    __table_args__ = (
        Index("uq_triggers_path", "path", unique=True),
        Index("uq_triggers_node", "workflow_id", "node_id", unique=True),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    organization_id: UUID = identifier(references="organizations.id")
    workflow_id: UUID = identifier(references="workflows.id")
    node_id: str = string()
    kind: str = string()
    """The node's type."""
    path: str = string()
    """What follows `/hooks/`: a token, or `o/<slug>/<path>`."""
    enabled: bool = Field(default=False, sa_column_kwargs={"server_default": "false"})
    """The published version has it."""
    secret: str | None = string(null=True)
    created_at: datetime = moment(now=True)
