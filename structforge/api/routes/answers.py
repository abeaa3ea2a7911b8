"""What runs ask people, and their answers."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from structforge.api.bodies import documented, json_body
from structforge.api.deps import Services, Signed
from structforge.api.responses import JsonResponse
from structforge.services.answers import Decision, GivenAnswer

router = APIRouter(tags=["runs"])


class QuestionPublic(BaseModel):
    """A step that waits for a person."""

    step_key: str
    node_id: str
    asked_at: datetime | None
    address: str | None = None
    """Of a step that waits for a request, for those who may steer the run."""
    asks: dict[str, Any]
    """`title`, `message`, `fields` to fill in, `roles` and `emails` of who may answer, `until`; `decisions` when they
    are others than `approved` and `rejected`."""


class QuestionList(BaseModel):
    """What a run waits for, the oldest first."""

    items: list[QuestionPublic]


class AnswerBody(BaseModel):
    """An answer to one question."""

    model_config = ConfigDict(extra="forbid")

    step_key: str = Field(max_length=500)
    decision: Decision
    """`approved` or `rejected`; of an interrupted step `retry`, `done` (with `fields.output`) or `fail`."""
    fields: dict[str, Any] = Field(default_factory=dict, max_length=50)
    comment: str = Field("", max_length=20_000)


class AnswerPublic(BaseModel):
    """An accepted answer, as the run sees it."""

    decision: str
    fields: dict[str, Any]
    comment: str
    answered_by: str | None
    answered_at: datetime


@router.get("/runs/{run_id}/waiting", response_model=QuestionList, summary="List what a run waits for")
async def list_waiting(services: Services, principal: Signed, run_id: UUID) -> Response:
    """Return the questions to people that nobody has answered yet."""
    items = [
        QuestionPublic.model_validate(question, from_attributes=True).model_copy(
            update={"address": services.answers.address(principal, run_id, question)}
        )
        for question in await services.answers.waiting(principal, run_id)
    ]
    return JsonResponse(QuestionList(items=items).model_dump())


@router.post(
    "/runs/{run_id}/answers",
    response_model=AnswerPublic,
    status_code=201,
    openapi_extra=documented(AnswerBody),
    summary="Answer a run",
)
async def answer_run(
    services: Services,
    principal: Signed,
    run_id: UUID,
    body: Annotated[AnswerBody, json_body(AnswerBody)],
) -> Response:
    """Answer a question; the run goes on. 409 when it was answered or nothing waits, 403 when it is for others."""
    given = GivenAnswer(body.decision, body.fields, body.comment)
    return JsonResponse(await services.answers.answer(principal, run_id, body.step_key, given), 201)
