"""R5: workers are frozen past their lease, their runs go on elsewhere, and they are thawed in the middle of that.

Proves the fence: a worker that wakes up with an old epoch writes nothing. Each step tells which process ran it, and
a trigger in the database notes beside each outcome who held the run when it was written; the two never differ.
"""

import asyncio
import signal
from collections.abc import Mapping
from uuid import UUID

from structforge.chaos.counting import count_journal
from structforge.chaos.documents import chain, node
from structforge.chaos.ground import Ground
from structforge.chaos.services import Service

LEASE_S = 1.0
STEPS = 12
SETTINGS: Mapping[str, str] = {
    "STRUCTFORGE_LEASE_S": str(LEASE_S),
    "STRUCTFORGE_REDISPATCH_AFTER_S": "0.3",
    "STRUCTFORGE_LOG_LEVEL": "info",
}

# STABLE: it sees the owner as the commit's own statement does, whatever that statement has done to the row by then.
_NOTE_OWNER = """
CREATE FUNCTION chaos_note_owner() RETURNS trigger LANGUAGE plpgsql STABLE AS $$
BEGIN
    NEW.input_hash := (SELECT owner FROM run_outbox WHERE run_id = NEW.run_id);
    RETURN NEW;
END $$
"""
_TRIGGER = """
CREATE TRIGGER chaos_note_owner BEFORE INSERT OR UPDATE ON execution_steps
FOR EACH ROW EXECUTE FUNCTION chaos_note_owner()
"""
# A worker's name is `host-pid-random`.
_WRITERS = """
SELECT outputs -> 'out' ->> 'pid', (regexp_match(input_hash, '-(\\d+)-[0-9a-f]+$'))[1]
FROM execution_steps WHERE run_id = ANY (%s) AND settled AND outputs -> 'out' ->> 'pid' IS NOT NULL
"""


async def run(ground: Ground) -> None:
    """Freeze and thaw workers in turn while runs of many short steps go through them."""
    api = await ground.web()
    ground.service("scheduler")
    fleet = await ground.workers(3)
    ground.rows(_NOTE_OWNER)
    ground.rows(_TRIGGER)
    pauses = [node(f"s{number}", "chaos.pause", seconds=0.25) for number in range(STEPS)]
    workflow = await api.publish("Steps", chain(*pauses))
    accepted = await api.start_many(workflow, ground.scaled(120, 30))
    for turn in range(ground.scaled(8, 2)):
        await _freeze(ground, [fleet[turn % 3], fleet[(turn + 1) % 3]] if turn % 2 else [fleet[turn % 3]])
    over = await ground.all_over(accepted, limit_s=90)
    ground.verdict.check(over, "not all runs came to their end")
    count_journal(ground, accepted, steps=STEPS + 1)
    _count_stale(ground, accepted)
    dropped = sum(worker.log_file.read_text().count("no longer ours") for worker in fleet)
    ground.verdict.figures["runs_dropped_by_thawed_workers"] = dropped
    ground.verdict.check(dropped > 0, "no worker was frozen long enough to lose a run: nothing was shown")


async def _freeze(ground: Ground, workers: list[Service]) -> None:
    for worker in workers:
        worker.send(signal.SIGSTOP)
        ground.verdict.did("freezes")
    await asyncio.sleep(LEASE_S * 2.5)
    for worker in workers:
        worker.send(signal.SIGCONT)
    await asyncio.sleep(0.5)


def _count_stale(ground: Ground, accepted: list[UUID]) -> None:
    writers = ground.rows(_WRITERS, accepted)
    stale = sum(ran != wrote for ran, wrote in writers)
    ground.verdict.check(stale == 0, f"{stale} outcomes were written by a worker that had lost the run")
    ground.verdict.check(
        len(writers) >= len(accepted) * STEPS, f"only {len(writers)} outcomes name their writer"
    )
    ground.verdict.figures["outcomes"] = len(writers)
    ground.verdict.figures["stale_commits"] = stale
