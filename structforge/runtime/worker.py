"""The worker's long-lived loop: claims batches of runs while it has room, executes many at once, keeps its leases.

Invariant: a run is executed only under a lease this worker renews; what it cannot renew it drops at once.
"""

import asyncio
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg import AsyncConnection

from structforge.domain.errors import Problem, StructForgeError, UnavailableError, sentence
from structforge.domain.journal import Journal, LeaseLostError, RunChange, RunSnapshot
from structforge.domain.run import RunStatus
from structforge.domain.values import decode_json, encode_json
from structforge.engine import faults
from structforge.engine.control import CameIn, RunControl
from structforge.engine.environment import Environment
from structforge.engine.execution import Execution
from structforge.engine.order import RunOrder
from structforge.engine.plans import PlanCache
from structforge.engine.recorder import RunRecorder
from structforge.runtime.events import CONTROL_CHANNEL, EventHub
from structforge.storage.leases import DEATHS_ALONE, DEATHS_BEFORE_ALONE, Leases

logger = logging.getLogger(__name__)

CLAIM_BATCH = 50
CONTENDED_S = 0.02
GUESTS_EVERY_S = 0.5
RENEWALS_PER_LEASE = 3
MAX_INPUT_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class WorkerLimits:
    """How much one worker process takes on."""

    slots: int = 64
    """Runs in hand at a time."""
    lease_s: float = 10.0
    guest_slots: int = 8
    """Runs in hand beyond `slots`, of organizations that have none in hand anywhere."""
    poll_s: float = 2.0
    """Seconds between looks at the table without a wake-up: what remains when Redis is away."""
    drain_s: float = 60.0
    """Seconds that steps in flight get to end when the worker is asked to stop."""


@dataclass(slots=True)
class _Held:
    epoch: int
    control: RunControl


class RunWorker:
    """Executes claimed runs on one event loop."""

    def __init__(
        self,
        name: str,
        conninfo: str,
        journal: Journal,
        environment: Environment,
        plans: PlanCache,
        hub: EventHub,
        ring_others: Callable[[UUID], None],
        limits: WorkerLimits,
    ) -> None:
        self._name = name
        self._conninfo = conninfo
        self._journal = journal
        self._environment = environment
        self._plans = plans
        self._hub = hub
        self._ring_others = ring_others
        self._limits = limits
        self._leases = Leases(name, limits.lease_s)
        self._held: dict[UUID, _Held] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._more = False
        self._alone = False
        self._guests_from = 0.0
        self._draining = False
        self._connection: AsyncConnection[Any] | None = None

    @property
    def name(self) -> str:
        """The name its leases carry."""
        return self._name

    @property
    def runs_in_hand(self) -> int:
        """How many runs this worker holds."""
        return len(self._held)

    def wake(self) -> None:
        """Look for runnable runs; call it on the event loop."""
        self._wake.set()

    def drain(self) -> None:
        """Claim nothing more, let the steps in flight end, give the runs back, then return from `run`."""
        self._draining = True
        for held in self._held.values():
            held.control.give_back()
        self._wake.set()

    async def run(self) -> None:
        """Claim and execute until drained."""
        renewer = _Renewer(
            self._leases, self._conninfo, self._limits.lease_s, asyncio.get_running_loop(), self
        )
        renewer.start()
        following = asyncio.create_task(self._follow_control(), name="control")
        try:
            while not self._draining:
                try:
                    await self._claim()
                except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                    logger.warning("cannot claim, the database is away: %s", error)
                    self._connection = None
                    await asyncio.sleep(0.2)
                try:
                    async with asyncio.timeout(self._limits.poll_s):
                        await self._wake.wait()
                except TimeoutError:
                    pass
                self._wake.clear()
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=self._limits.drain_s)
            for task in self._tasks:
                task.cancel()
            if self._tasks:
                await asyncio.gather(*self._tasks, return_exceptions=True)
            await self._release_rest()
        finally:
            following.cancel()
            renewer.stop()
            if self._connection is not None:
                await self._connection.close()

    def held_epochs(self) -> dict[UUID, int]:
        """Return the runs in hand with their epochs; callable from the renewal thread."""
        return {run_id: held.epoch for run_id, held in list(self._held.items())}

    def lease_lost(self, run_id: UUID, epoch: int) -> None:
        """Drop a run that belongs to somebody else."""
        held = self._held.get(run_id)
        if held is not None and held.epoch == epoch:
            held.control.lose()

    def requested(self, run_id: UUID, action: str) -> None:
        """Act on what was asked of a run."""
        held = self._held.get(run_id)
        if held is None:
            if action == "answer":
                # It rests, or nobody has it: whoever looks first takes it.
                self._wake.set()
            return
        if action == "answer":
            task = asyncio.create_task(self._take_in(run_id, held), name=f"answers {run_id}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif action == "stop":
            held.control.stop()
        elif action == "pause":
            held.control.pause()
        elif action == "resume":
            held.control.unpause()

    async def _claim(self) -> None:
        if self._connection is None:
            self._connection = await self._leases.connect(self._conninfo)
        while not self._draining and not self._alone:
            room, newcomers = min(self._limits.slots - len(self._held), CLAIM_BATCH), False
            if room <= 0:
                # Whoever has room should know that there may be more than this worker takes.
                self._more = True
                # Nobody waits for another organization's long runs to end: a few places are for who has none.
                room, newcomers = self._limits.slots + self._limits.guest_slots - len(self._held), True
                now = asyncio.get_running_loop().time()
                if room <= 0 or now < self._guests_from:
                    return
                # A full worker comes here after each run that ends: newcomers need not be looked for so often.
                self._guests_from = now + GUESTS_EVERY_S
            idle = not self._held
            claim = await self._leases.claim(
                self._connection, room, idle=idle, decode=_decode, newcomers=newcomers
            )
            if claim.snapshots:
                faults.point("after_claim")
            for snapshot in claim.snapshots:
                self._begin(snapshot)
            if claim.contended:
                asyncio.get_running_loop().call_later(CONTENDED_S, self._wake.set)
            if newcomers:
                return
            self._more = claim.more
            if not self._more:
                return
            self._ring_others(claim.snapshots[-1].lease.run.run_id)

    def _begin(self, snapshot: RunSnapshot) -> None:
        lease = snapshot.lease
        held = _Held(lease.epoch, RunControl())
        if snapshot.control == "stop":
            held.control.stop()
        elif snapshot.control == "pause":
            held.control.pause()
        self._alone = lease.deaths >= DEATHS_BEFORE_ALONE
        self._held[lease.run.run_id] = held
        task = asyncio.create_task(self._execute(snapshot, held), name=f"run {lease.run.run_id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _execute(self, snapshot: RunSnapshot, held: _Held) -> None:
        run = snapshot.lease.run
        recorder = RunRecorder(
            self._journal,
            run,
            held.epoch,
            event_seq=snapshot.event_seq,
            log_seq=snapshot.log_seq,
            settled=sum(step.settled for step in snapshot.steps.values()),
            wakes=snapshot.wakes,
        )
        try:
            await self._execute_plan(snapshot, held, recorder)
        except LeaseLostError:
            logger.info("run %s is no longer ours, dropped", run.run_id)
        except UnavailableError as error:
            # Nothing is known to be wrong with the run: its lease expires, and whoever claims it goes on.
            logger.warning("run %s is dropped: %s", run.run_id, error)
        except StructForgeError as error:
            await self._fail(recorder, error.problem)
        except Exception:
            # A fault of ours: the run stays leased, expires and is tried again, alone after two deaths.
            logger.exception("execution of run %s broke", run.run_id)
        finally:
            del self._held[run.run_id]
            if not self._held:
                self._alone = False
            # Where a limit counts, the end of one run is the turn of the next.
            if self._more or snapshot.limited or not self._held:
                self._wake.set()

    async def _execute_plan(self, snapshot: RunSnapshot, held: _Held, recorder: RunRecorder) -> None:
        deaths = snapshot.lease.deaths
        if deaths >= DEATHS_BEFORE_ALONE + DEATHS_ALONE:
            await self._fail(
                recorder,
                Problem(
                    "run.kills_workers",
                    sentence(
                        "{deaths} workers died while they executed this run, the last {deaths_alone} "
                        "with nothing else.",
                        deaths=deaths,
                        deaths_alone=DEATHS_ALONE,
                    ),
                    hint="Look at the step that was running: it may need more memory than the machine has.",
                ),
            )
            return
        plan = self._plans.peek(snapshot.version_id) or await self._plans.get(snapshot.version_id)
        order = RunOrder(
            trigger=snapshot.trigger_node,
            input=snapshot.input,
            accepted_at=snapshot.accepted_at,
            started_at=snapshot.started_at,
            status=snapshot.status,
            history=snapshot.steps,
            answers=snapshot.answers,
            ended=snapshot.ended,
        )
        await Execution(plan, order, recorder, self._environment, held.control).execute()

    async def _take_in(self, run_id: UUID, held: _Held) -> None:
        """Read what came in for a run in hand and hand it to its execution."""
        if self._connection is None:
            return
        try:
            answers, ended = await self._leases.came_in(
                self._connection, run_id, list(held.control.awaited), _decode
            )
        except psycopg.Error as error:
            # It stays marked in the table: the next renewal, or the run's rest, brings it.
            logger.warning("answers of run %s could not be read: %s", run_id, error)
            return
        if answers or ended:
            held.control.deliver(CameIn(answers, ended))

    async def _fail(self, recorder: RunRecorder, problem: Problem) -> None:
        now = datetime.now(UTC)
        try:
            handler = await self._environment.callees.handler(recorder.run, problem, None)
        except StructForgeError as error:
            logger.warning("no error workflow for run %s: %s", recorder.run.run_id, error)
            handler = None
        if handler is not None:
            recorder.ring = self._environment.ring
            recorder.child(handler)
        recorder.change(
            RunChange(RunStatus.FAILED, error=encode_json(problem.as_json()), started_at=now, finished_at=now)
        )
        recorder.event("run.finished", now, status=RunStatus.FAILED, error=problem.as_json())
        pending = recorder.submit()
        if pending is not None:
            try:
                await pending
            except (LeaseLostError, UnavailableError) as error:
                logger.info("run %s could not be failed by us: %s", recorder.run.run_id, error)

    async def _follow_control(self) -> None:
        async with self._hub.follow(CONTROL_CHANNEL) as messages:
            while True:
                message = await messages.get()
                if message is not None:
                    self.requested(UUID(message["run_id"]), message["action"])

    async def _release_rest(self) -> None:
        if self._held and self._connection is not None:
            await self._leases.release(self._connection, list(self._held))


class _Renewer(threading.Thread):
    """Extends the leases from a thread with its own connection, so that a busy event loop loses none."""

    def __init__(
        self,
        leases: Leases,
        conninfo: str,
        lease_s: float,
        loop: asyncio.AbstractEventLoop,
        worker: RunWorker,
    ) -> None:
        super().__init__(name="lease-renewer", daemon=True)
        self._leases = leases
        self._conninfo = conninfo
        self._lease_s = lease_s
        self._loop = loop
        self._worker = worker
        self._stopping = threading.Event()
        self._connection: psycopg.Connection[Any] | None = None

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()
        self.join(timeout=5)

    def run(self) -> None:
        failing_since: datetime | None = None
        while not self._stopping.wait(self._lease_s / RENEWALS_PER_LEASE):
            held = self._worker.held_epochs()
            try:
                self._renew(held)
                failing_since = None
            except psycopg.Error as error:
                logger.warning("leases could not be renewed: %s", error)
                self._connection = None
                now = datetime.now(UTC)
                failing_since = failing_since or now
                if (now - failing_since).total_seconds() + self._lease_s / RENEWALS_PER_LEASE > self._lease_s:
                    for run_id, epoch in held.items():
                        self._loop.call_soon_threadsafe(self._worker.lease_lost, run_id, epoch)
        if self._connection is not None:
            self._connection.close()

    def _renew(self, held: dict[UUID, int]) -> None:
        if not held:
            return
        if self._connection is None:
            self._connection = psycopg.connect(self._conninfo, autocommit=True, connect_timeout=3)
        renewed = self._leases.renew(self._connection, list(held))
        for run_id, epoch in held.items():
            renewal = renewed.get(run_id)
            if renewal is None or renewal.epoch != epoch:
                self._loop.call_soon_threadsafe(self._worker.lease_lost, run_id, epoch)
            elif renewal.control is not None:
                self._loop.call_soon_threadsafe(self._worker.requested, run_id, renewal.control)


def _decode(data: bytes) -> Any:
    return decode_json(data, max_bytes=MAX_INPUT_BYTES)
