"""Waiting: for a person, for some time; with a real worker loop on real servers."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from structforge.config import Settings
from structforge.domain.access import Role, Via
from structforge.domain.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from structforge.domain.run import RunStatus
from structforge.services.answers import GivenAnswer, checked_fields
from structforge.services.runs import StartRequest
from tests.services.test_run_control import is_, publish, step_statuses
from tests.support.eventually import eventually
from tests.support.installation import Installation, a_worker, installed
from tests.support.workflows import document, node, registry_with_test_nodes

YES = GivenAnswer("approved", {})


@pytest.fixture
async def installation(settings: Settings) -> AsyncIterator[Installation]:
    """Two organizations, their services, and one worker loop."""
    registry_with_test_nodes()
    async with installed(settings) as made:
        async with a_worker(made):
            yield made


async def start(made: Installation, workflow: UUID) -> UUID:
    return (await made.services.runs.start(made.first, workflow, StartRequest({}))).run_id


async def outbox(made: Installation, run: UUID) -> tuple[Any, ...] | None:
    """Whether a worker holds the run, whether it wakes by itself some day, and what was asked of it."""
    async with made.engine.database.engine_pool.connection() as connection:
        cursor = await connection.execute(
            "SELECT owner IS NOT NULL, available_at < 'infinity', control FROM run_outbox WHERE run_id = %s",
            (run,),
        )
        return await cursor.fetchone()


async def asked(made: Installation, run: UUID) -> list[str]:
    return [question.step_key for question in await made.services.answers.waiting(made.first, run)]


async def rests(made: Installation, run: UUID) -> None:
    async def at_rest() -> bool:
        return await outbox(made, run) == (False, False, None)

    await eventually(is_(made, run, RunStatus.WAITING))
    await eventually(at_rest)


APPROVAL = document(
    node(
        "ask",
        "flow.approval",
        title="Refund {{ run.trigger or 'it' }}?",
        fields=[{"name": "amount", "type": "number"}, {"name": "why", "required": False}],
    ),
    node("yes", "data.set", fields={"paid": "{{ ask.fields.amount }}"}),
    node("no", "data.set", fields={"paid": 0}),
    edges=["ask.approved>yes", "ask.rejected>no"],
)


async def test_a_run_rests_until_somebody_answers_and_the_first_answer_counts(
    installation: Installation,
) -> None:
    answers = installation.services.answers
    run = await start(installation, await publish(installation, APPROVAL))
    await rests(installation, run)
    (question,) = await answers.waiting(installation.first, run)
    assert (question.step_key, question.asks["title"]) == ("ask", "Refund it?")
    assert [field["name"] for field in question.asks["fields"]] == ["amount", "why"]
    for stranger in (answers.waiting(installation.second, run),
                     answers.answer(installation.second, run, "ask", YES)):  # fmt: skip
        with pytest.raises(NotFoundError):
            await stranger
    for fields in (
        {},
        {"amount": "5"},
        {"amount": True},
        {"amount": 5, "other": 1},
        {"amount": float("inf")},
    ):
        with pytest.raises(InvalidError):
            await answers.answer(installation.first, run, "ask", GivenAnswer("approved", fields))
    given = [
        answers.answer(installation.first, run, "ask", GivenAnswer("approved", {"amount": amount}))
        for amount in range(1, 6)
    ]
    results = await asyncio.gather(*given, return_exceptions=True)
    (accepted,) = [result for result in results if isinstance(result, dict)]
    assert all(isinstance(result, ConflictError) for result in results if result is not accepted)
    await eventually(is_(installation, run, RunStatus.SUCCEEDED))
    row = await installation.services.runs.get(installation.first, run)
    assert row.output == {"yes": {"paid": accepted["fields"]["amount"]}}
    assert await step_statuses(installation, run) == {"ask": "succeeded", "yes": "succeeded", "no": "skipped"}
    assert await outbox(installation, run) is None
    with pytest.raises(ConflictError):
        await answers.answer(installation.first, run, "ask", YES)


async def test_an_answer_that_no_worker_could_read_is_refused(installation: Installation) -> None:
    answers = installation.services.answers
    run = await start(installation, await publish(installation, APPROVAL))
    await rests(installation, run)
    for given in (
        GivenAnswer("approved", {"amount": 1, "why": "a\0b"}),
        GivenAnswer("approved", {"amount": 1, "why": "\ud800"}),
        GivenAnswer("rejected", {}, comment="\0"),
    ):
        with pytest.raises(InvalidError):
            await answers.answer(installation.first, run, "ask", given)
    # Nothing was kept, and the worker goes on.
    await answers.answer(installation.first, run, "ask", GivenAnswer("approved", {"amount": 1}))
    await eventually(is_(installation, run, RunStatus.SUCCEEDED))


async def test_only_those_it_is_meant_for_may_answer(installation: Installation) -> None:
    asks = document(node("ask", "flow.approval", roles=["operator"], emails=["Editor@example.org"]))
    workflow = await publish(installation, asks)
    owner, answers = installation.first, installation.services.answers
    tokens = {
        role: (await installation.member(role))[1] for role in (Role.OPERATOR, Role.EDITOR, Role.VIEWER)
    }
    for role in (Role.OPERATOR, Role.EDITOR):
        run = await start(installation, workflow)
        await rests(installation, run)
        with pytest.raises(ForbiddenError):
            await answers.answer(owner, run, "ask", YES)
        # What is shown ahead is what holds then.
        for token, may in ((tokens[role], True), (tokens[Role.VIEWER], False), (None, False)):
            person = owner if token is None else await installation.services.identity.principal(token)
            assert [one.may_answer for one in await answers.asked(person, run)] == [may]
        body = {"step_key": "ask", "decision": "rejected", "comment": "no"}
        async with installation.http(tokens[Role.VIEWER]) as viewer:
            assert (await viewer.post(f"/api/v1/runs/{run}/answers", json=body)).status_code == 403
            waiting = (await viewer.get(f"/api/v1/runs/{run}/waiting")).json()["items"]
            assert [question["step_key"] for question in waiting] == ["ask"]
        async with installation.http(tokens[role]) as client:
            response = await client.post(f"/api/v1/runs/{run}/answers", json=body)
            assert (response.status_code, response.json()["answered_by"]) == (
                201,
                f"{role.value}@example.org",
            )
            assert (await client.post(f"/api/v1/runs/{run}/answers", json=body)).status_code == 409
        await eventually(is_(installation, run, RunStatus.SUCCEEDED))


async def test_whom_a_question_names_may_answer_it_without_being_able_to_steer_runs(
    installation: Installation,
) -> None:
    answers, identity = installation.services.answers, installation.services.identity
    by_role = await publish(installation, document(node("ask", "flow.approval", roles=["viewer"])))
    by_address = await publish(
        installation, document(node("ask", "flow.approval", emails=[" Viewer@Example.org "]))
    )
    others = await publish(installation, document(node("ask", "flow.approval", emails=["", "x@example.org"])))
    anybody = await publish(installation, document(node("ask", "flow.approval")))
    _, token = await installation.member(Role.VIEWER)
    viewer = await identity.principal(token)
    body = {"step_key": "ask", "decision": "approved"}
    async with installation.http(token) as client:
        for workflow, code in ((others, "answer.not_yours"), (anybody, "access.forbidden")):
            run = await start(installation, workflow)
            await rests(installation, run)
            assert [one.may_answer for one in await answers.asked(viewer, run)] == [False]
            response = await client.post(f"/api/v1/runs/{run}/answers", json=body)
            assert (response.status_code, response.json()["code"]) == (403, code)
            assert await asked(installation, run) == ["ask"]
        for workflow in (by_role, by_address):
            run = await start(installation, workflow)
            await rests(installation, run)
            assert [one.may_answer for one in await answers.asked(viewer, run)] == [True]
            # A person of the same role elsewhere is nobody here, and a key of the viewer's does what it was made for.
            with pytest.raises(NotFoundError):
                await answers.answer(replace(installation.second, user_id=viewer.user_id), run, "ask", YES)
            key = replace(viewer, via=Via.API_KEY)
            assert [one.may_answer for one in await answers.asked(key, run)] == [False]
            with pytest.raises(ForbiddenError):
                await answers.answer(key, run, "ask", YES)
            assert (await client.post(f"/api/v1/runs/{run}/stop")).status_code == 403
            response = await client.post(f"/api/v1/runs/{run}/answers", json=body)
            assert (response.status_code, response.json()["answered_by"]) == (201, "viewer@example.org")
            await eventually(is_(installation, run, RunStatus.SUCCEEDED))


async def test_an_answer_that_comes_while_another_branch_runs_is_not_lost(
    installation: Installation, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    made = document(node("ask", "flow.approval"), node("busy", "test.gate", gate=str(gate)))
    run = await start(installation, await publish(installation, made))

    async def is_asked() -> bool:
        return await asked(installation, run) == ["ask"]

    await eventually(is_asked)
    await installation.services.answers.answer(installation.first, run, "ask", YES)
    assert await outbox(installation, run) == (True, True, "answer")
    assert await asked(installation, run) == []
    gate.touch()
    await eventually(is_(installation, run, RunStatus.SUCCEEDED))


async def test_an_answer_to_a_run_that_was_pausing_is_taken_after_all(
    installation: Installation, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    made = document(node("ask", "flow.approval"), node("busy", "test.gate", gate=str(gate)))
    run = await start(installation, await publish(installation, made))
    runs = installation.services.runs

    async def is_asked() -> bool:
        return await asked(installation, run) == ["ask"]

    await eventually(is_asked)
    assert await runs.pause(installation.first, run) is RunStatus.PAUSING
    await installation.services.answers.answer(installation.first, run, "ask", YES)
    assert await runs.resume(installation.first, run) is RunStatus.RUNNING
    gate.touch()
    await eventually(is_(installation, run, RunStatus.SUCCEEDED))


async def test_an_answer_to_a_paused_run_waits_for_it_to_be_resumed(installation: Installation) -> None:
    run = await start(installation, await publish(installation, document(node("ask", "flow.approval"))))
    await rests(installation, run)
    runs = installation.services.runs
    assert await runs.pause(installation.first, run) is RunStatus.PAUSED
    await installation.services.answers.answer(installation.first, run, "ask", YES)
    assert await outbox(installation, run) is not None
    await runs.resume(installation.first, run)
    await eventually(is_(installation, run, RunStatus.SUCCEEDED))


async def test_nobody_answers_in_time(installation: Installation) -> None:
    made = document(
        node("ask", "flow.approval", time_limit_s=2.5),
        node("late", "data.set", fields={"late": True}),
        edges=["ask.timeout>late"],
    )
    run = await start(installation, await publish(installation, made))
    await eventually(is_(installation, run, RunStatus.WAITING))
    await eventually(is_(installation, run, RunStatus.SUCCEEDED))
    assert (await installation.services.runs.get(installation.first, run)).output == {"late": True}


async def test_a_stopped_run_takes_no_answer(installation: Installation) -> None:
    run = await start(installation, await publish(installation, document(node("ask", "flow.approval"))))
    await rests(installation, run)
    assert await installation.services.runs.stop(installation.first, run) is RunStatus.CANCELLED
    with pytest.raises(ConflictError):
        await installation.services.answers.answer(installation.first, run, "ask", YES)
    assert await step_statuses(installation, run) == {"ask": "cancelled"}


async def test_a_delay_ends_when_it_should_and_holds_no_worker(installation: Installation) -> None:
    made = document(node("rest", "flow.delay", seconds=3), node("end", "test.pass"), edges=["rest>end"])
    run = await start(installation, await publish(installation, made))
    await eventually(is_(installation, run, RunStatus.WAITING))

    async def unheld() -> bool:
        return await outbox(installation, run) == (False, True, None)

    await eventually(unheld)
    await eventually(is_(installation, run, RunStatus.SUCCEEDED))
    row = await installation.services.runs.get(installation.first, run)
    assert row.finished_at is not None
    assert row.started_at is not None
    assert (row.finished_at - row.started_at).total_seconds() >= 3


async def test_a_time_to_come_is_waited_for(installation: Installation) -> None:
    at = datetime.fromtimestamp(datetime.now(UTC).timestamp() + 3, UTC)
    run = await start(
        installation, await publish(installation, document(node("w", "flow.wait_until", time=at.isoformat())))
    )
    await eventually(is_(installation, run, RunStatus.SUCCEEDED))
    assert datetime.now(UTC) >= at


async def test_a_delay_ends_in_time_although_another_branch_keeps_the_run_busy(
    installation: Installation, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    made = document(
        node("busy", "test.gate", gate=str(gate)),
        node("rest", "flow.delay", seconds=3),
        node("after", "test.pass"),
        edges=["rest>after"],
    )
    run = await start(installation, await publish(installation, made))

    async def went_on() -> bool:
        return await step_statuses(installation, run) == {"rest": "succeeded", "after": "succeeded"}

    await eventually(went_on)
    gate.touch()
    await eventually(is_(installation, run, RunStatus.SUCCEEDED))


async def test_a_loop_that_is_given_up_waits_for_nobody(installation: Installation) -> None:
    made = document(
        node("all", "flow.loop", items=[0, 1], concurrency=2, policies={"on_error": "continue"}),
        node("way", "flow.if", condition="{{ item == 0 }}"),
        node("ask", "flow.approval"),
        node("soon", "flow.delay", seconds=0.5),
        node("bad", "flow.stop", message="No."),
        edges=["all.body>way", "way.true>ask", "ask.approved>all.again", "way.false>soon", "soon>bad"],
    )
    run = await start(installation, await publish(installation, made))
    await eventually(is_(installation, run, RunStatus.SUCCEEDED))
    statuses = await step_statuses(installation, run)
    assert (statuses["all"], statuses["all[0]/ask"]) == ("failed", "cancelled")


@pytest.mark.parametrize(
    ("given", "right"), [("2027-01-31", True), ("2027-02-30", False), ("20270131", False), (7, False)]
)
def test_a_date_is_a_day_of_the_calendar(given: Any, right: bool) -> None:
    declared = [{"name": "day", "type": "date", "required": True}]
    if right:
        assert checked_fields(declared, GivenAnswer("approved", {"day": given})) == {"day": given}
    else:
        with pytest.raises(InvalidError):
            checked_fields(declared, GivenAnswer("approved", {"day": given}))
