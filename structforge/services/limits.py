"""How many runs an organization may have in hand at once, and how many it has.

Invariant: a change counts for the next claim, wherever that is made. A workflow's own limit is part of its document.
"""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text

from structforge.domain.access import Permission, Principal, authorize
from structforge.domain.errors import InvalidError, Problem, sentence
from structforge.domain.limits import MAX_RUNS
from structforge.services.audit import audit
from structforge.services.targets import CHANNEL
from structforge.storage.database import Database
from structforge.storage.repositories.limits import Limits

_ANNOUNCE = text("SELECT pg_notify(:channel, :organization)")
_NOBODY = UUID(int=0)


@dataclass(frozen=True, slots=True)
class OrganizationLoad:
    """What an organization has in hand."""

    max_runs: int | None
    """None is no limit."""
    in_hand: int
    """Runs that workers have."""
    queued: int
    """Runs that could start now."""


class LimitService:
    """The limit of an organization."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, principal: Principal) -> OrganizationLoad:
        """Return the limit, and what counts against it at present."""
        authorize(principal, Permission.ORGANIZATION_READ)
        organization_id = principal.organization_id
        async with self._database.transaction(organization_id) as session:
            limits = Limits(session)
            bounds = await limits.of(organization_id, _NOBODY)
            in_hand, queued = await limits.load(organization_id)
        return OrganizationLoad(bounds.organization, in_hand, queued)

    async def set(self, principal: Principal, max_runs: int | None) -> OrganizationLoad:
        """Set the limit, or remove it. Raises: InvalidError `limit.invalid`."""
        authorize(principal, Permission.ORGANIZATION_EDIT)
        if max_runs is not None and not 1 <= max_runs <= MAX_RUNS:
            raise InvalidError(
                Problem(
                    "limit.invalid",
                    sentence(
                        "An organization may have 1 to {max_runs} runs at once, or any number.",
                        max_runs=MAX_RUNS,
                    ),
                    "max_runs",
                    "Leave it out for no limit.",
                )
            )
        organization_id = principal.organization_id
        async with self._database.transaction(organization_id) as session:
            await Limits(session).set(organization_id, organization_id, max_runs)
            await audit(
                session, principal, "organization.limit", "organization", organization_id, max_runs=max_runs
            )
            await session.execute(_ANNOUNCE, {"channel": CHANNEL, "organization": str(organization_id)})
        return await self.get(principal)
