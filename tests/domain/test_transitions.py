"""The whole square of statuses, for every actor."""

from itertools import product

import pytest

from structforge.domain.run import RunStatus, StepStatus
from structforge.domain.transitions import (
    RUN_TRANSITIONS,
    STEP_TRANSITIONS,
    Actor,
    allowed,
    may_begin,
    sources,
)

# One letter for each actor that may do it: worker, person, system. A row is `from`; `=` is staying.
RUN_SQUARE = """
           queued running waiting pausing paused cancelling succeeded failed cancelled
none       pws    w       .       .       .      .          w         w      .
queued     =      w       .       .       p      p          .         s      ps
running    ws     =       w       pw      w      pw         w         ws     w
waiting    ps     w       =       .       p      p          .         s      ps
pausing    .      pw      .       =       ws     pw         w         ws     w
paused     p      .       .       .       =      p          .         s      ps
cancelling .      .       .       .       .      =          w         ws     ws
succeeded  .      .       .       .       .      .          .         .      .
failed     .      .       .       .       .      .          .         .      .
cancelled  .      .       .       .       .      .          .         .      .
"""
STEP_SQUARE = """
          pending running waiting succeeded failed skipped cancelled reused
none      w       w       w       w         w      w       w         pws
pending   =       w       w       w         ws     w       pws       w
running   ws      =       w       w         ws     .       ws        .
waiting   w       w       =       w         ws     .       pws       .
succeeded .       .       .       .         .      .       .         .
failed    .       .       .       .         .      .       .         .
skipped   .       .       .       .         .      .       .         .
cancelled .       .       .       .         .      .       .         .
reused    .       .       .       .         .      .       .         .
"""


def cells(square: str, statuses: type[RunStatus] | type[StepStatus]) -> list[tuple[object, object, str]]:
    header, *rows = (line.split() for line in square.strip().splitlines())
    assert [*header] == [*statuses]
    assert [row[0] for row in rows] == ["none", *statuses]
    return [
        (None if row[0] == "none" else statuses(row[0]), statuses(target), letters)
        for row in rows
        for target, letters in zip(header, row[1:], strict=True)
    ]


@pytest.mark.parametrize(
    ("source", "target", "letters"), cells(RUN_SQUARE, RunStatus) + cells(STEP_SQUARE, StepStatus)
)
def test_the_whole_square(source: RunStatus | None, target: RunStatus, letters: str) -> None:
    for actor in Actor:
        expected = letters == "=" or actor[0] in letters
        assert allowed(source, target, actor) is expected
        if source is None:
            assert may_begin(target, actor) is expected
        else:
            assert (source in sources(target, actor)) is expected


@pytest.mark.parametrize("statuses", [RunStatus, StepStatus])
def test_nothing_leaves_a_terminal_status(statuses: type[RunStatus] | type[StepStatus]) -> None:
    for source, target, actor in product(statuses, statuses, Actor):
        if source.terminal:
            assert not allowed(source, target, actor)


@pytest.mark.parametrize("table", [RUN_TRANSITIONS, STEP_TRANSITIONS])
def test_every_status_can_be_reached_and_every_open_one_can_end(
    table: dict[tuple[RunStatus | None, RunStatus], frozenset[Actor]],
) -> None:
    statuses = type(next(iter(table))[1])
    reached: set[RunStatus | None] = {None}
    for _ in statuses:
        reached |= {target for source, target in table if source in reached}
    assert reached - {None} == set(statuses)
    ending = {status for status in statuses if status.terminal}
    for _ in statuses:
        ending |= {source for source, target in table if target in ending and source is not None}
    assert ending == set(statuses)


def test_a_run_nobody_holds_can_always_be_ended_without_a_worker() -> None:
    """Else a stop of an orphaned run would wait for a worker that never comes."""
    for status in RunStatus:
        if not status.terminal:
            direct = allowed(status, RunStatus.CANCELLED, Actor.SYSTEM)
            stopped = allowed(status, RunStatus.CANCELLING, Actor.PERSON) and allowed(
                RunStatus.CANCELLING, RunStatus.CANCELLED, Actor.SYSTEM
            )
            assert direct or stopped
