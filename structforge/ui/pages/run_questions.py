"""What a run asks people, on its page: questions with their forms, and the answers.

Invariant: who may answer is decided by the service; what is shown here only says it ahead.
"""

# Views use class attributes as Reflex vars, which the type checker takes for the values they hold.
# mypy: disable-error-code="no-any-return, index, operator, attr-defined"

from typing import Any, cast
from uuid import UUID

import reflex as rx

from structforge.domain.errors import ConflictError, InvalidError, StructForgeError
from structforge.services.answers import APPROVAL, AskedQuestion, Decision, GivenAnswer
from structforge.ui.library import entered
from structforge.ui.locale import LocaleState, message
from structforge.ui.services import Visitor, services
from structforge.ui.session import parse_id, say, tell_problem, visitor_of

LOOKS = {"approved": "primary", "rejected": "danger", "retry": "", "done": "primary", "fail": "danger"}
DECISIONS = tuple(LOOKS)


class QuestionsState(rx.State):
    """The open questions of the run on the page."""

    questions: list[dict[str, Any]] = []
    """As question.jsx takes them."""
    refused: dict[str, Any] = {}
    """Why the last answer was refused: `{"key", "fields"}`."""
    _run: str = ""

    @rx.event
    async def answer(self, key: str, decision: str, fields: dict[str, Any], comment: str) -> None:
        """Answer a question."""
        visitor, run_id = await visitor_of(self), parse_id(self._run)
        if visitor is None or run_id is None or decision not in DECISIONS or not isinstance(fields, dict):
            return
        given = GivenAnswer(cast(Decision, decision), dict(fields), entered(comment, 20_000))
        try:
            await services().api.answers.answer(visitor.principal, run_id, entered(key, 500), given)
        except InvalidError as error:
            self.refused = {
                "key": key,
                "fields": {
                    problem.where.removeprefix("fields."): problem.as_json() for problem in error.problems
                },
            }
            return
        except StructForgeError as error:
            await tell_problem(self, error)
            self.refused = {"key": key, "fields": {}}
            if not isinstance(error, ConflictError):
                return
        else:
            self.refused = {}
            await say(self, "question.answered")
        await self._read(visitor, run_id)

    async def _read(self, visitor: Visitor, run_id: UUID) -> None:
        try:
            asked = await services().api.answers.asked(visitor.principal, run_id)
        except StructForgeError:
            asked = ()
        locale = (await self.get_state(LocaleState)).locale
        items = [_item(one, locale) for one in asked]
        self._run = str(run_id)
        if self.questions != items:
            self.questions = items


def _item(asked: AskedQuestion, locale: str) -> dict[str, Any]:
    question = asked.question
    asks, kind = question.asks, question.asks.get("kind", "approval")
    held = kind == "interrupted"
    audience = [*asks.get("roles", ()), *asks.get("emails", ())]
    fields = list(asks.get("fields", ()))
    if held:
        fields = [{**field, "title": message(locale, "question.done_output")} for field in fields]
    return {
        "key": question.step_key,
        "title": message(locale, "question.interrupted") if held else asks.get("title") or question.step_key,
        "message": message(locale, "question.interrupted_hint") if held else asks.get("message", ""),
        "fields": fields,
        "decisions": [
            {"name": name, "text": message(locale, f"decision.{name}"), "look": LOOKS.get(name, "")}
            for name in asks.get("decisions", APPROVAL)
        ],
        "until": asks.get("until") or "",
        "audience": ", ".join(audience),
        "remark": not held,
        "may": asked.may_answer,
    }
