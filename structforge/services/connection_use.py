"""Which connections a document names: whether they exist, and whether who writes them down may use them.

Invariant: a node that goes through a connection is written or changed only by somebody who may use connections; runs
ask no more. For services that keep documents.
"""

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from structforge.domain.access import Permission, Principal, authorize
from structforge.domain.connections import named_connections
from structforge.domain.errors import Problem, sentence
from structforge.domain.validation import NodeShape
from structforge.domain.validation.references import connections_in
from structforge.domain.workflow import NodeSpec, WorkflowDocument
from structforge.storage.repositories.connections import Connections


def authorize_use(
    principal: Principal, document: WorkflowDocument, before: WorkflowDocument | None = None
) -> None:
    """Let a document pass whose nodes with connections are those of `before`, or whoever may use connections.

    Raises: ForbiddenError.
    """
    known = {spec.id: _use(spec) for spec in before.nodes} if before else {}
    if any(
        named_connections(spec.parameters) and known.get(spec.id) != _use(spec) for spec in document.nodes
    ):
        authorize(principal, Permission.CONNECTION_USE)


def _use(spec: NodeSpec) -> tuple[object, ...]:
    return spec.type, spec.parameters, spec.policies, spec.disabled


async def missing_connections(
    session: AsyncSession, organization_id: UUID, document: WorkflowDocument, shapes: Mapping[str, NodeShape]
) -> list[Problem]:
    """Return a problem for each node that names a connection the organization does not have."""
    named = connections_in(document, shapes)
    if not named:
        return []
    known = {row.name for row in await Connections(session).all(organization_id)}
    return [
        Problem(
            "connection.not_found",
            sentence("There is no connection `{value}`.", value=value[:80]),
            place,
            "Choose one of the organization's connections, or make one of that name.",
        )
        for place, value in named
        if value not in known
    ]
