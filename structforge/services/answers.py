"""Answering what runs wait for.

Invariant: a question is answered once, by somebody it was meant for, with what it declares; an answer that was
accepted is never lost, whatever the run does at that moment. Whom a question names may answer it without any
further permission, and nobody else may; one that names nobody is for those who may steer runs.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Literal
from uuid import UUID

from structforge.domain.access import Permission, Principal, Via, authorize
from structforge.domain.errors import (
    ConflictError,
    ForbiddenError,
    InvalidError,
    Problem,
    sentence,
)
from structforge.domain.numbers import is_number
from structforge.runtime.events import EventPublisher
from structforge.services.absent import run_not_found
from structforge.services.audit import audit
from structforge.storage.database import Database
from structforge.storage.repositories.answers import Answers, OpenQuestion
from structforge.storage.repositories.runs import Runs

MAX_TEXT = 20_000
DATE = re.compile(r"\d{4}-\d{2}-\d{2}")

Decision = Literal["approved", "rejected", "retry", "done", "fail"]
APPROVAL: tuple[Decision, ...] = ("approved", "rejected")
"""What a question takes that names no decisions of its own."""


@dataclass(frozen=True, slots=True)
class GivenAnswer:
    """What a person says."""

    decision: Decision
    fields: dict[str, Any]
    comment: str = ""


@dataclass(frozen=True, slots=True)
class AskedQuestion:
    """An open question, and whether whoever looks at it may answer it."""

    question: OpenQuestion
    may_answer: bool


class AnswerService:
    """Questions of runs to people."""

    def __init__(
        self,
        database: Database,
        ring: Callable[[UUID], None],
        publisher: EventPublisher,
        resume_url: Callable[[UUID, UUID, str], str],
    ) -> None:
        """`resume_url` names the address of a step that waits for a request."""
        self._database = database
        self._ring = ring
        self._publisher = publisher
        self._resume_url = resume_url

    def address(self, principal: Principal, run_id: UUID, question: OpenQuestion) -> str | None:
        """Return where a step that waits for a request is answered, to those who may steer the run."""
        if question.asks.get("kind") != "webhook" or Permission.RUN_CONTROL not in principal.permissions:
            return None
        return self._resume_url(principal.organization_id, run_id, question.step_key)

    async def waiting(self, principal: Principal, run_id: UUID) -> Sequence[OpenQuestion]:
        """Return the questions that nobody has answered yet. Raises: NotFoundError."""
        authorize(principal, Permission.RUN_READ)
        async with self._database.transaction(principal.organization_id) as session:
            if await Runs(session).get(principal.organization_id, run_id) is None:
                raise run_not_found(run_id)
            questions = await Answers(session).open(principal.organization_id, run_id)
        return [question for question in questions if question.answered_at is None]

    async def asked(self, principal: Principal, run_id: UUID) -> Sequence[AskedQuestion]:
        """Return the same with whether the principal may answer them. Raises: NotFoundError."""
        questions = await self.waiting(principal, run_id)
        if not questions:
            return ()
        email, roles = await self._person(principal)
        return [AskedQuestion(one, _may_answer(principal, one.asks, email, roles)) for one in questions]

    async def _person(self, principal: Principal) -> tuple[str, frozenset[str]]:
        if principal.user_id is None:
            return "", frozenset()
        async with self._database.transaction(principal.organization_id) as session:
            return await Answers(session).person(principal.organization_id, principal.user_id)

    async def answer(
        self, principal: Principal, run_id: UUID, step_key: str, given: GivenAnswer
    ) -> dict[str, Any]:
        """Accept an answer and let the run go on. Returns it as the run sees it.

        Raises: NotFoundError; ConflictError when nothing waits there, or it was answered; ForbiddenError when it was
        meant for others; InvalidError with everything that is wrong in the fields.
        """
        # Enough to see the question; who may answer it is up to the question.
        authorize(principal, Permission.RUN_READ)
        organization_id = principal.organization_id
        async with self._database.transaction(organization_id) as session:
            answers = Answers(session)
            if await Runs(session).get(organization_id, run_id) is None:
                raise run_not_found(run_id)
            run = await answers.lock(organization_id, run_id)
            found = [one for one in await answers.open(organization_id, run_id) if one.step_key == step_key]
            if run is None or run.control == "stop" or not found:
                raise _not_waiting(run_id, step_key)
            (question,) = found
            email = await self._check_person(answers, principal, question.asks)
            now = datetime.now(UTC)
            until = question.asks.get("until")
            if until is not None and now >= datetime.fromisoformat(until):
                raise _not_waiting(run_id, step_key)
            if given.decision not in (possible := question.asks.get("decisions", APPROVAL)):
                raise InvalidError(
                    Problem(
                        "answer.decision",
                        sentence("This question takes no {decision}.", decision=repr(given.decision)),
                        "decision",
                        sentence("It takes: {possible}.", possible=", ".join(possible)),
                    )
                )
            answer = {
                "decision": given.decision,
                "fields": checked_fields(question.asks.get("fields", []), given),
                "comment": given.comment,
                "answered_by": email or None,
                "answered_at": now.isoformat(),
            }
            key = question.asks.get("answer_key", step_key)
            if not await answers.add(organization_id, run_id, key, answer, principal.user_id):
                raise ConflictError(
                    Problem(
                        "answer.given",
                        sentence("Step {step_key} was answered already.", step_key=repr(step_key)),
                        f"runs.{run_id}",
                        "The first answer counts.",
                    )
                )
            await answers.wake(run_id, run)
            await audit(
                session, principal, "run.answer", "run", run_id, step_key=step_key, decision=given.decision
            )
        await self._publisher.control(run_id, "answer")
        self._ring(run_id)
        return answer

    async def _check_person(self, answers: Answers, principal: Principal, asks: dict[str, Any]) -> str:
        """Return the address of who answers. Raises: ForbiddenError."""
        email, roles = "", frozenset[str]()
        if principal.user_id is not None:
            email, roles = await answers.person(principal.organization_id, principal.user_id)
        if _may_answer(principal, asks, email, roles):
            return email
        if _is_named(asks, email, roles) or not _named(asks):
            authorize(principal, Permission.RUN_CONTROL)
        raise ForbiddenError(
            Problem(
                "answer.not_yours",
                "This question is meant for others.",
                hint=sentence(
                    "It can be answered by: {people}.", people=", ".join(sorted(_named(asks)))[:500]
                ),
            )
        )


def _named(asks: dict[str, Any]) -> set[str]:
    """Return the roles and addresses of those a question is meant for."""
    return {*asks.get("roles", ()), *asks.get("emails", ())}


def _is_named(asks: dict[str, Any], email: str, roles: frozenset[str]) -> bool:
    addresses = {address.strip().lower() for address in asks.get("emails", ())}
    return bool(roles & set(asks.get("roles", ()))) or bool(email) and email.lower() in addresses


def _may_answer(principal: Principal, asks: dict[str, Any], email: str, roles: frozenset[str]) -> bool:
    if _named(asks) and not _is_named(asks, email, roles):
        return False
    # It is the person that is named: a key of theirs does what it was made for.
    by_name = bool(_named(asks)) and principal.via is Via.SESSION
    return by_name or Permission.RUN_CONTROL in principal.permissions


def checked_fields(declared: Sequence[dict[str, Any]], given: GivenAnswer) -> dict[str, Any]:
    """Return the declared fields with their values. Raises: InvalidError with every wrong field.

    A rejection may leave required fields out.
    """
    known = {field["name"]: field for field in declared}
    problems = [
        Problem(
            "answer.unknown_field", sentence("There is no field {name}.", name=repr(name)), f"fields.{name}"
        )
        for name in given.fields
        if name not in known
    ]
    values: dict[str, Any] = {}
    for name, field in known.items():
        value = given.fields.get(name)
        if value is None or value == "":
            if field.get("required") and given.decision == "approved":
                problems.append(Problem("answer.field_missing", "This field is needed.", f"fields.{name}"))
            values[name] = None
        elif (wrong := _wrong(field, value)) is not None:
            problems.append(Problem("answer.field", wrong, f"fields.{name}"))
        else:
            values[name] = value
    if problems:
        raise InvalidError(*problems)
    return values


def _wrong(field: dict[str, Any], value: Any) -> str | None:
    kind = field["type"]
    if kind == "json":
        return None
    if kind == "boolean":
        return None if isinstance(value, bool) else "This is neither true nor false."
    if kind == "number":
        return None if is_number(value) else "This is no number."
    if not isinstance(value, str):
        return "This is no text."
    if kind == "date":
        return None if DATE.fullmatch(value) and _is_date(value) else "This is no date, as in 2027-01-31."
    if kind == "choice" and value not in field["choices"]:
        return sentence("Choose one of: {choices}.", choices=", ".join(field["choices"])[:500])
    return (
        None
        if len(value) <= MAX_TEXT
        else sentence("This text has more than {most} characters.", most=MAX_TEXT)
    )


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _not_waiting(run_id: UUID, step_key: str) -> ConflictError:
    return ConflictError(
        Problem(
            "answer.not_waiting",
            sentence("Nothing waits for an answer at step {step_key}.", step_key=repr(step_key)),
            f"runs.{run_id}",
            "It may be over, or its time limit has passed.",
        )
    )
