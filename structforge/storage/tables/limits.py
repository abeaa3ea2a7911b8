"""How many runs of a workflow or of an organization may be in hand at once.

Invariant: a workflow's row says what its published version says (`storage/repositories/versions.py` writes it);
where there is no row there is no limit. The claim (`storage/claims.py`) reads it, the engine's role only reads.
"""

from uuid import UUID

from sqlmodel import Field

from structforge.storage.tables.columns import Row, identifier, string


class RunLimitRow(Row, table=True):
    """A limit of one scope."""

    __tablename__ = "run_limits"

    scope_id: UUID = identifier(primary=True)
    """Id of a workflow, or of the organization itself."""
    organization_id: UUID = identifier(references="organizations.id")
    max_runs: int = Field()
    when_full: str = string("queue")
    """`queue`, `reject` or `replace`."""
