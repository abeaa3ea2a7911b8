"""Waiting outlives its worker: due times and answers are kept in the database alone."""

from datetime import timedelta

from structforge.domain.run import RunStatus
from structforge.services.answers import GivenAnswer
from tests.crash.conftest import Fleet
from tests.support.eventually import eventually
from tests.support.workflows import document, node


async def test_a_delay_and_a_question_survive_the_death_of_the_only_worker(fleet: Fleet) -> None:
    made = document(
        node("rest", "flow.delay", seconds=4),
        node("ask", "flow.approval"),
        node("end", "test.pass"),
        edges=["rest>ask", "ask.approved>end"],
    )
    workflow = await fleet.publish(made)
    first = fleet.worker()
    runs = await fleet.accept(workflow, 3)
    await fleet.all_are(runs, RunStatus.WAITING)
    first.kill()
    fleet.worker()
    services, me = fleet.made.services, fleet.made.first

    async def all_ask() -> bool:
        for run in runs:
            assert [question.step_key for question in await services.answers.waiting(me, run)] == ["ask"]
        return True

    await eventually(all_ask, timeout_s=60)
    for run in runs:
        await services.answers.answer(me, run, "ask", GivenAnswer("approved", {}))
    await fleet.all_are(runs, RunStatus.SUCCEEDED)
    await fleet.check_journal(runs, {"rest", "ask", "end"})
    for run in runs:
        (rest,) = [row for row in await services.runs.steps(me, run) if row.step_key == "rest"]
        assert rest.attempt == 1
        assert rest.started_at is not None
        assert rest.finished_at is not None
        assert rest.finished_at - rest.started_at >= timedelta(seconds=4)
