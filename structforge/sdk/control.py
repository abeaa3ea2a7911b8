"""Results by which a node steers its run: wait, call another workflow, or return early; and what a loop node declares.

Invariant: they are values; the engine acts on them, a node never holds a worker to wait.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pydantic import model_validator

from structforge.domain.errors import sentence
from structforge.domain.journal import CallEnd
from structforge.sdk.parameters import Parameters, parameter

MAX_ITERATIONS = 100_000

__all__ = ["Call", "CallEnd", "LoopParameters", "Return", "Wait"]


@dataclass(frozen=True, slots=True)
class Wait:
    """The step is not over: run the node again at `until`, or when an answer came, whichever is first.

    The next `run` sees the same attempt, `context.waiting_since`, and the answer in `context.answer`.
    """

    until: datetime | None = None
    """None waits for an answer for as long as it takes."""
    asks: dict[str, Any] | None = None
    """What a person is asked: shown with the step, and declares the fields of the answer."""


@dataclass(frozen=True, slots=True)
class Return:
    """End the run here, as succeeded, with this output."""

    value: Any = None


@dataclass(frozen=True, slots=True)
class Call:
    """Run another workflow of the organization, once for this attempt.

    With `wait` the step is over when that run is: the next `run` of the node sees how it ended as a `CallEnd` in
    `context.answer`. Without, the step ends at once and gives the run's id.
    """

    workflow: str
    """Id, or the exact name."""
    input: Any = None
    version: int | Literal["published", "draft"] = "published"
    """`draft` is allowed in runs of drafts only."""
    wait: bool = True
    until: datetime | None = None
    """When the node is run again although the called run is not over."""


class LoopParameters(Parameters):
    """What the engine reads of a loop node, whatever else the node type declares."""

    mode: Literal["for_each", "repeat"] = parameter(
        "for_each",
        title="Repeat",
        description="Once for each item of a list, or until a condition holds.",
        widget="select",
    )
    items: Any = parameter(
        None,
        title="Items",
        description="The list to go through; each iteration sees its element as `item` and its place as `index`.",
        show_if={"mode": "for_each"},
        by_reference="inner",
    )
    concurrency: int = parameter(
        1,
        title="Iterations at a time",
        description="1 goes through the list in order.",
        ge=1,
        le=1_000,
        show_if={"mode": "for_each"},
    )
    until: str = parameter(
        "",
        title="Until",
        description="Looked at after each iteration; `result` is what arrived at `again`, `index` counts from 0.",
        expressions=False,
        placeholder="{{ result.done }}",
        show_if={"mode": "repeat"},
    )
    max_iterations: int = parameter(
        100,
        title="At most",
        description="A loop that has not ended by then fails.",
        ge=1,
        le=MAX_ITERATIONS,
        show_if={"mode": "repeat"},
        advanced=True,
    )

    @model_validator(mode="after")
    def _has_items(self) -> "LoopParameters":
        if self.mode == "for_each" and not self.given("items"):
            raise ValueError(sentence("going through a list needs the list"))
        return self
