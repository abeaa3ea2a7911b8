"""Steps that are put aside: until a moment, an answer, or the end of a run they called.

Invariant: what came in is kept until its step takes it, so an answer that is early is not lost; times are those
the nodes gave, whoever counts them.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from structforge.domain.ids import child_id
from structforge.domain.journal import CallEnd
from structforge.engine.control import CameIn, RunControl
from structforge.engine.holds import answer_key
from structforge.engine.step import Step


class Waits:
    """The waiting steps of one execution."""

    def __init__(
        self,
        run_id: UUID,
        control: RunControl,
        answers: Mapping[str, Any],
        ended: Mapping[UUID, CallEnd],
        due: Callable[[Step], None],
    ) -> None:
        """`due` is called on the event loop when a step's time has come while the run is in hand."""
        self._run_id = run_id
        self._control = control
        self.answers = dict(answers)
        """What people and callers said, taken or not."""
        self._ended = dict(ended)
        self._due = due
        self._steps: dict[str, tuple[Step, datetime | None]] = {}
        self._timers: list[asyncio.TimerHandle] = []
        self.given_up: list[UUID] = []
        """Runs that nobody waits for any more."""

    def __bool__(self) -> bool:
        return bool(self._steps)

    def __contains__(self, step: Step) -> bool:
        return step.key in self._steps

    def answer_of(self, step: Step) -> Any:
        """Return what is there for a step: the end of the run it called, or somebody's answer."""
        ended = self._ended.get(self._called(step)) if self._ended else None
        return self.answers.get(step.key) if ended is None else ended

    def put(self, step: Step, until: datetime | None, *, calls: bool = False) -> None:
        """Put a step aside; `calls` when it waits for a run."""
        self._steps[step.key] = (step, until)
        if calls:
            self._control.awaited.add(self._called(step))

    def count(self, step: Step, left_s: float) -> None:
        """Let `due` be called after so many seconds; a run that rests is woken by the table instead."""
        self._timers.append(asyncio.get_running_loop().call_later(left_s, self._due, step))

    def take(self, step: Step) -> None:
        """End the waiting of a step: it goes on."""
        del self._steps[step.key]
        self._control.awaited.discard(self._called(step))

    def give_up(self, wanted: Callable[[Step], bool] = lambda step: True) -> list[Step]:
        """End the waiting of steps that will not go on; the runs they called are to be stopped."""
        found = [step for step, _ in self._steps.values() if wanted(step)]
        for step in found:
            del self._steps[step.key]
            called = self._called(step)
            if called in self._control.awaited:
                self._control.awaited.discard(called)
                self.given_up.append(called)
        return found

    def receive(self, came_in: CameIn) -> list[Step]:
        """Keep what came in; return the waiting steps it is for."""
        self.answers.update(came_in.answers)
        self._ended.update(came_in.ended)
        steps = [step for step, _ in self._steps.values()]
        return [
            step
            for step in steps
            if (step.answer is None and self.answer_of(step) is not None)
            or answer_key(step.key, step.attempt) in self.answers
        ]

    def resume_at(self) -> datetime | None:
        """Return when the first of them goes on by itself."""
        return min((until for _, until in self._steps.values() if until is not None), default=None)

    def stop_counting(self) -> None:
        """Call `due` no more."""
        for timer in self._timers:
            timer.cancel()

    def _called(self, step: Step) -> UUID:
        return child_id(self._run_id, step.key, step.attempt)


def seconds_until(moment: datetime) -> float:
    """Return how long it is until then; negative when it is past."""
    return (moment - datetime.now(UTC)).total_seconds()
