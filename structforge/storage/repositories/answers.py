"""What runs wait for, and what came in.

Invariant: the outbox row is locked before an answer is written, as every commit of the run does, so an answer and
the moment the run goes to rest never cross.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from structforge.domain.values import journal_safe_bytes

_LOCK = text("""
SELECT owner IS NULL, control FROM run_outbox
WHERE run_id = :run AND organization_id = :organization FOR UPDATE
""")

_OPEN = text("""
SELECT s.step_key, s.node_id, s.outputs -> 'asks', s.started_at, a.answer, a.answered_at FROM (
    SELECT DISTINCT ON (step_key) step_key, node_id, status, settled, outputs, started_at FROM execution_steps
    WHERE organization_id = :organization AND run_id = :run
        AND accepted_on = (SELECT accepted_on FROM workflow_executions WHERE id = :run)
    ORDER BY step_key, settled DESC, attempt DESC
) s LEFT JOIN run_answers a ON a.run_id = :run
    AND a.step_key = coalesce(s.outputs #>> '{asks,answer_key}', s.step_key)
WHERE s.status = 'waiting' AND s.outputs -> 'asks' IS NOT NULL
ORDER BY s.started_at, s.step_key
""")

_ADD = text("""
INSERT INTO run_answers (run_id, step_key, organization_id, answer, answered_by)
VALUES (:run, :step, :organization, CAST(:answer AS json), :by)
ON CONFLICT (run_id, step_key) DO NOTHING RETURNING run_id
""")

_WAKE = text("UPDATE run_outbox SET available_at = now() WHERE run_id = :run")
_TELL = text("UPDATE run_outbox SET control = 'answer' WHERE run_id = :run")

_WHO = text("""
SELECT u.email, array(SELECT r.role FROM user_roles r WHERE r.organization_id = :organization AND r.user_id = u.id)
FROM users u WHERE u.id = :user
""")


@dataclass(frozen=True, slots=True)
class OpenQuestion:
    """A step that waits for an answer."""

    step_key: str
    node_id: str
    asks: dict[str, Any]
    asked_at: datetime | None
    answer: Any
    """Set when the answer is there and the run has not taken it yet."""
    answered_at: datetime | None


@dataclass(frozen=True, slots=True)
class LockedRun:
    """A run that is not over, held by this transaction."""

    free: bool
    """No worker holds it."""
    control: str | None
    """What was asked of it: `stop`, `pause`, `paused`, `answer`."""


class Answers:
    """Questions and answers of runs."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def lock(self, organization_id: UUID, run_id: UUID) -> LockedRun | None:
        """Lock the run against its own commits; None when it is over."""
        row = (
            await self._session.execute(_LOCK, {"organization": organization_id, "run": run_id})
        ).one_or_none()
        return None if row is None else LockedRun(row[0], row[1])

    async def open(self, organization_id: UUID, run_id: UUID) -> Sequence[OpenQuestion]:
        """Return the steps that wait for an answer, the oldest first."""
        rows = await self._session.execute(_OPEN, {"organization": organization_id, "run": run_id})
        return [OpenQuestion(*row) for row in rows]

    async def add(
        self, organization_id: UUID, run_id: UUID, step_key: str, answer: dict[str, Any], by: UUID | None
    ) -> bool:
        """Keep an answer; False when the step (or the key its question names) has one already.

        Raises: InvalidValueError: a worker that claims the run has to be able to read it.
        """
        values = {
            "organization": organization_id,
            "run": run_id,
            "step": step_key,
            "answer": journal_safe_bytes(answer)[1].decode(),
            "by": by,
        }
        return (await self._session.execute(_ADD, values)).one_or_none() is not None

    async def wake(self, run_id: UUID, run: LockedRun) -> None:
        """Let the locked run take its answers; one that is paused or pausing takes them when it is resumed."""
        if run.control in (None, "answer"):
            await self._session.execute(_WAKE if run.free else _TELL, {"run": run_id})

    async def person(self, organization_id: UUID, user_id: UUID) -> tuple[str, frozenset[str]]:
        """Return the e-mail address of a member and the names of the roles."""
        row = (
            await self._session.execute(_WHO, {"organization": organization_id, "user": user_id})
        ).one_or_none()
        return ("", frozenset()) if row is None else (row[0], frozenset(row[1]))
