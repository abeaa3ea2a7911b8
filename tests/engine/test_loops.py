"""Loops, branches, merges and dead edges against an interpreter so simple that one sees it is right.

The interpreter goes through a region in document order, knows no concurrency, no journal and no crash. The engine
has to come to the same outcomes and outputs, step by step, also when it is interrupted after any commit.
"""

import asyncio
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from structforge.domain.validation import errors_of, validate
from structforge.domain.workflow import WorkflowDocument
from structforge.runtime.processes import ProcessPool
from structforge.sdk import NodeRegistry
from structforge.sdk.shapes import shapes_of
from tests.support.execution import Report, Workshop
from tests.support.workflows import document, node

MAX_NODES = 12


@dataclass
class Region:
    """Nodes that run together, in document order; `loop` repeats them, none for the whole."""

    loop: str | None = None
    members: list[str] = field(default_factory=list)


@dataclass
class Drawn:
    """A workflow as it was drawn."""

    nodes: dict[str, dict[str, Any]] = field(default_factory=dict)
    edges: list[tuple[str, str, str, str]] = field(default_factory=list)
    regions: dict[str | None, Region] = field(default_factory=lambda: {None: Region()})

    def document(self, max_parallel: int | None) -> WorkflowDocument:
        """Return it as the engine takes it."""
        edges = [f"{source}.{port}>{target}.{into}" for source, port, target, into in self.edges]
        return document(*self.nodes.values(), edges=edges, max_parallel=max_parallel)


def ports_of(drawn: Drawn, name: str) -> list[str]:
    """Return the outputs an edge may leave by."""
    kind = drawn.nodes[name]["type"]
    if kind == "flow.if":
        return ["true", "false"]
    if kind == "flow.loop":
        return ["done"]
    if drawn.nodes[name]["policies"].get("on_error") == "port":
        return ["out", "error"]
    return ["out"]


@st.composite
def workflows(draw: st.DrawFn) -> Drawn:
    """Draw nested loops with branches, merges and steps that fail."""
    drawn = Drawn()

    def fill(region: Region, outer: tuple[str, ...], depth: int) -> None:
        count = draw(st.integers(1, 4))
        for _ in range(count):
            if len(drawn.nodes) >= MAX_NODES:
                return
            kinds = ["test.pass", "test.pass", "test.gate", "flow.if", "test.fail_plain"]
            kind = draw(st.sampled_from([*kinds, "flow.loop"] if depth < 3 else kinds))
            name = f"n{len(drawn.nodes)}"
            single = kind in ("flow.if", "flow.loop")
            sources = [(one, port) for one in region.members for port in ports_of(drawn, one)]
            if region.loop is not None:
                sources.append((region.loop, "body"))
            far = [(one, port) for one in outer for port in ports_of(drawn, one)]
            must = region.loop is not None
            near = draw(st.lists(st.sampled_from(sources), min_size=int(must), max_size=1 if single else 3,
                                 unique=True)) if sources else []  # fmt: skip
            if far and not single and draw(st.booleans()):
                near = [*near, draw(st.sampled_from(far))]
            parameters: dict[str, Any] = {}
            policies: dict[str, Any] = {}
            if kind == "flow.if":
                conditions = [True, False, *(["{{ index % 2 == 0 }}"] if region.loop else [])]
                parameters = {"condition": draw(st.sampled_from(conditions))}
            if kind == "test.fail_plain":
                policies = draw(
                    st.sampled_from([{"on_error": "port"}, {"on_error": "continue", "error_value": "E"}])
                )
            if kind == "flow.loop":
                if draw(st.booleans()):
                    parameters = {
                        "items": list(range(draw(st.integers(0, 3)))),
                        "concurrency": draw(st.integers(1, 3)),
                    }
                else:
                    parameters = {"mode": "repeat", "until": f"{{{{ index >= {draw(st.integers(0, 2))} }}}}"}
            drawn.nodes[name] = node(name, kind, policies=policies, **parameters)
            drawn.edges += [(source, port, name, "in") for source, port in near]
            region.members.append(name)
            if kind == "flow.loop":
                inner = drawn.regions[name] = Region(name)
                # What stands before the loop may be read inside it; the loop then waits for it.
                fill(inner, (*outer, *region.members[:-1]), depth + 1)
                if draw(st.integers(0, 4)) == 0:
                    drawn.edges.append((name, "body", name, "again"))
                elif inner.members:
                    back = draw(st.sampled_from(inner.members))
                    drawn.edges.append((back, draw(st.sampled_from(ports_of(drawn, back))), name, "again"))

    fill(drawn.regions[None], (), 0)
    return drawn


class Interpreter:
    """The meaning of a workflow (docs/architecture.md), one region after the other."""

    def __init__(self, drawn: Drawn) -> None:
        self._drawn = drawn
        self.outcomes: dict[str, tuple[str, dict[str, Any] | None]] = {}
        """Step key to status and live ports."""

    def run(self) -> None:
        """Go through the whole workflow."""
        self._region(self._drawn.regions[None], "", {}, {})

    def _region(self, region: Region, prefix: str, around: dict[str, Any], place: dict[str, Any]) -> Any:
        """Run a region once; return what arrived at the loop's `again`, or `...` when nothing did."""
        known = dict(around)
        if region.loop is not None:
            known[region.loop] = {"body": place["item"]}
        for name in region.members:
            incoming = [edge for edge in self._drawn.edges if edge[2] == name and edge[3] == "in"]
            values = [known[source][port] for source, port, _, _ in incoming if port in known[source]]
            key = prefix + name
            if incoming and not values:
                status, ports = "skipped", {}
            else:
                status, ports = self._node(name, key, values, known, place)
            self.outcomes[key] = (status, ports or None)
            known[name] = ports
        for source, port, target, into in self._drawn.edges:
            if target == region.loop and into == "again":
                return known[source].get(port, ...)
        return ...

    def _node(
        self, name: str, key: str, values: list[Any], known: dict[str, Any], place: dict[str, Any]
    ) -> tuple[str, dict[str, Any]]:
        spec = self._drawn.nodes[name]
        parameters = spec["parameters"]
        match spec["type"]:
            case "test.pass":
                return "succeeded", {"out": values}
            case "test.gate":
                return "succeeded", {"out": {"from": key, "in": values}}
            case "flow.if":
                condition = parameters["condition"]
                holds = place["index"] % 2 == 0 if isinstance(condition, str) else condition
                return "succeeded", {"true" if holds else "false": values[0] if values else None}
            case "flow.loop":
                return "succeeded", {"done": self._loop(name, key, values, known)}
        if spec["policies"]["on_error"] == "continue":
            return "failed", {"out": "E"}
        return "failed", {"error": {"code": "test.failed", "message": "It failed.", "where": f"nodes.{name}"}}

    def _loop(self, name: str, key: str, values: list[Any], known: dict[str, Any]) -> Any:
        parameters, region = self._drawn.nodes[name]["parameters"], self._drawn.regions[name]
        carry = values[0] if values else None
        if "items" in parameters:
            results = [
                self._region(region, f"{key}[{index}]/", known, {"item": item, "index": index})
                for index, item in enumerate(parameters["items"])
            ]
            return [result for result in results if result is not ...]
        last = int(parameters["until"].split(">=")[1].split()[0])
        for index in range(last + 1):
            result = self._region(region, f"{key}[{index}]/", known, {"item": carry, "index": index})
            carry = None if result is ... else result
        return carry


def outcomes_of(report: Report) -> dict[str, tuple[str, Any]]:
    """Return what the engine wrote, as the interpreter tells it."""
    return {key: (status, report.outputs[key]) for key, status in report.settled.items()}


@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(drawn=workflows(), data=st.data())
def test_the_engine_does_what_a_simple_interpreter_does_also_after_a_crash(
    drawn: Drawn, data: st.DataObject, registry: NodeRegistry
) -> None:
    made = drawn.document(data.draw(st.sampled_from([None, 1, 2]), "max_parallel"))
    assert errors_of(validate(made, shapes_of(registry))) == []
    interpreter = Interpreter(drawn)
    interpreter.run()

    async def check() -> None:
        with tempfile.TemporaryDirectory() as folder:
            workshop = Workshop(
                registry, Path(folder) / "shop", ProcessPool(1, Path(folder), Path(folder), 1 << 20)
            )
            async with asyncio.timeout(30):
                whole = await workshop.run(made)
            assert whole.status == "succeeded", whole.end.error
            assert outcomes_of(whole) == interpreter.outcomes
            if len(whole.commits) > 1:
                # How many commits there are depends on the clock; what is drawn must not.
                share = data.draw(st.floats(0, 1, exclude_max=True), "share of the commits before the crash")
                length = 1 + int(share * (len(whole.commits) - 1))
                async with asyncio.timeout(30):
                    resumed = await workshop.run(made, before=whole.commits[:length])
                assert resumed.status == "succeeded", resumed.end.error
                assert outcomes_of(resumed) == interpreter.outcomes
                assert resumed.output == whole.output

    asyncio.run(check())
