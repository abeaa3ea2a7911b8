"""Counting in the tables what became of runs: nothing lost, nothing twice, nothing left over.

Invariant: reads only, as the owner of the database, after the fact.
"""

from collections.abc import Collection, Sequence
from uuid import UUID

from structforge.chaos.ground import Ground

_SETTLED = """
SELECT e.id, e.status, count(s.step_key) FILTER (WHERE s.settled),
    count(DISTINCT s.step_key) FILTER (WHERE s.settled),
    count(*) FILTER (WHERE NOT s.settled AND s.status IN ('pending', 'running', 'waiting')
        AND NOT EXISTS (SELECT FROM execution_steps l WHERE l.accepted_on = s.accepted_on AND l.run_id = s.run_id
            AND l.step_key = s.step_key AND l.attempt > s.attempt))
FROM workflow_executions e LEFT JOIN execution_steps s ON s.accepted_on = e.accepted_on AND s.run_id = e.id
WHERE e.id = ANY (%s) GROUP BY e.id, e.status
"""

_WHY = """
SELECT coalesce(e.error ->> 'code', 'no error') || ' ' || coalesce(e.error ->> 'message', ''),
    (SELECT string_agg(format('%%s try %%s %%s (%%s)', s.step_key, s.attempt, s.status, s.error ->> 'code'), ', '
            ORDER BY s.started_at, s.attempt)
     FROM execution_steps s WHERE s.accepted_on = e.accepted_on AND s.run_id = e.id AND s.error IS NOT NULL)
FROM workflow_executions e WHERE e.id = %s
"""

_EVENTS = """
SELECT v.run_id, (item ->> 'seq')::int, item ->> 'type'
FROM execution_events v, json_array_elements(v.events) item
WHERE v.run_id = ANY (%s) ORDER BY v.run_id, 2
"""


def count_journal(
    ground: Ground, runs: Sequence[UUID], *, steps: int, allowed: Collection[str] = ("succeeded",)
) -> None:
    """Check that each run is there, over in an allowed status, and journaled whole: `steps` outcomes in each that
    succeeded, one of each step, events without a gap that end with the only `run.finished`, no lease left.
    """
    verdict = ground.verdict
    wanted = list(runs)
    found = {row[0]: row[1:] for row in ground.rows(_SETTLED, wanted)}
    lost = [run for run in runs if run not in found]
    verdict.check(not lost, f"lost {len(lost)} accepted runs, the first {lost[:1]}")
    complete = 0
    for run, (status, settled, distinct, dangling) in found.items():
        if status not in allowed:
            verdict.check(False, f"run {run} is {status}: {_why(ground, run)}")
        verdict.check(settled == distinct, f"run {run} has a step with two outcomes")
        whole = status != "succeeded" or settled == steps
        verdict.check(whole, f"run {run} has {settled} outcomes of {steps} steps")
        verdict.check(dangling == 0, f"run {run} is over and has {dangling} open attempts")
        complete += whole and dangling == 0
    events: dict[UUID, list[tuple[int, str]]] = {}
    for run, seq, kind in ground.rows(_EVENTS, wanted):
        events.setdefault(run, []).append((seq, kind))
    twice = 0
    for run in found:
        told = events.get(run, [])
        verdict.check(
            [seq for seq, _ in told] == list(range(1, len(told) + 1)), f"the events of run {run} have a gap"
        )
        ends = [kind for _, kind in told].count("run.finished")
        twice += ends > 1
        verdict.check(ends == 1 and told[-1][1] == "run.finished", f"run {run} was finished {ends} times")
    left = ground.value("SELECT count(*) FROM run_outbox WHERE run_id = ANY (%s)", wanted)
    verdict.check(left == 0, f"{left} runs are over and still in the outbox")
    figures = verdict.figures
    figures["runs"] = figures.get("runs", 0) + len(runs)
    figures["lost"] = figures.get("lost", 0) + len(lost)
    figures["finished_twice"] = figures.get("finished_twice", 0) + twice
    figures["journal_complete_pct"] = round(100 * complete / max(1, len(runs)), 2)


def _why(ground: Ground, run: UUID) -> str:
    """Say what a run's error is, and what went wrong with each attempt before it."""
    error, attempts = ground.rows(_WHY, run)[0]
    return f"{error.strip()}; {attempts or 'no attempt of it failed'}"
