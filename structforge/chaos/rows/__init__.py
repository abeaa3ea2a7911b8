"""The rows, one module each: `SETTINGS` of its processes, and `run(ground)`, which fills the verdict.

Invariant: a row's docstring says what it proves; a row checks what it claims by counting in the tables.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """Where a row is, and what it does in a few words."""

    module: str
    title: str


ROWS: Mapping[str, Row] = {
    "R1": Row("r01_everything_killed", "everything is killed, Redis wiped, PostgreSQL crashes"),
    "R2": Row("r02_resumed_in_time", "one worker killed, fleet idle"),
    "R3": Row("r03_crash_points", "crash at each named point × every effect"),
    "R4": Row("r04_state_machine", "claim, renew, expire, finish, stop, pause, recover in any order"),
    "R5": Row("r05_frozen_workers", "workers frozen past their lease, then thawed"),
    "R6": Row("r06_long_steps", "a long step with a lease of 0.5 s"),
    "R7": Row("r07_stop", "stop in every status"),
    "R8": Row("r08_drain", "SIGTERM in the middle of long steps"),
    "R9": Row("r09_connections", "200 runs that hold, a pool of 20 connections"),
    "R10": Row("r10_fair_sharing", "one organization floods, another submits"),
    "R11": Row("r11_poison", "a run that kills its worker, among innocent ones"),
    "R12": Row("r12_hostile_outputs", "hostile outputs at every kind of node"),
    "R13": Row("r13_same_key", "the same Idempotency-Key 100 times in parallel"),
    "R14": Row("r14_retention", "retention of a large history under load"),
}
"""The module of a row is imported when its process starts."""
