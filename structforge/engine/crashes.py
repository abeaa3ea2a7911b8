"""Failures nobody foresaw: each is a fault of the program, never of data, and is told, logged and counted as one.

Invariant: the problem says where it happened and has a number that finds it in the log; it holds no stack trace, no
class of the program and nothing of the error's own text, which may be a secret.
"""

import logging
from collections import Counter
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from structforge.domain.errors import Problem, sentence

logger = logging.getLogger(__name__)

CODE = "step.crashed"
_HINT = "This is a fault of the program, not of your data. Tell those who run StructForge the number: the log has it."

counted: Counter[str] = Counter()
"""How many steps of each node type have crashed in this process."""


@dataclass(frozen=True, slots=True)
class Scene:
    """Where a step crashed, and at what."""

    node: str
    node_type: str
    title: str
    """Of the node type."""
    run_id: UUID
    step: str
    attempt: int
    doing: str
    """`parameters`, `run` or `result`: resolving the parameters, running the node, keeping what it gave."""


def crash_problem(error: BaseException) -> Problem:
    """Log a failure nobody foresaw and return it as a problem, without its place."""
    number = uuid4().hex[:12]
    logger.error("a node failed unexpectedly, number %s", number, exc_info=error, extra={"crash": number})
    return Problem(
        "step.crashed",
        sentence("The node met an error that nobody foresaw (number {number}).", number=number),
        hint=_HINT,
        details={"number": number},
    )


def located(problem: Problem, scene: Scene) -> Problem:
    """Return a crash with its place, and count it."""
    counted[scene.node_type] += 1
    number = str(problem.details.get("number", ""))
    facts: dict[str, Any] = {
        "number": number,
        "node": scene.node,
        "node_type": scene.node_type,
        "run": str(scene.run_id),
        "step": scene.step,
        "attempt": scene.attempt,
        "doing": scene.doing,
    }
    logger.error("step crashed", extra=facts | {"event": CODE, "crashes": counted[scene.node_type]})
    return Problem(
        "step.crashed",
        sentence(
            "`{node}` ({title}) met an error that nobody foresaw (number {number}).",
            node=scene.node,
            title=scene.title,
            node_type=scene.node_type,
            number=number,
        ),
        problem.where,
        _HINT,
        facts,
    )
