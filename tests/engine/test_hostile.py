"""Nodes that do what no node should: each ends in a definite, explained failure of its step (R12)."""

import asyncio
from typing import Any

import pytest

from structforge.domain.values import decode_json, encode_json
from tests.support.execution import Report, Workshop
from tests.support.memory_journal import events_of, steps_of
from tests.support.workflows import HOSTILE_VALUES, WILD_ACTS, document, node

END_S = 30
KINDS = ("", "_async", "_blocking")
PLACES = ("inline", "in_a_loop", "each", "handled", "last")


def place(where: str, kind: str, act: str) -> Any:
    """Return a workflow with the wild node at one kind of position."""
    if where == "in_a_loop":
        wild = node("wild", kind, kind=act)
        loop = node("all", "flow.loop", items=[1, 2], concurrency=2)
        return document(loop, wild, edges=["all.body>wild", "wild>all.again"])
    if where == "each":
        return document(
            node("wild", kind, kind=act, policies={"each": {"items": "{{ [1, 2] }}", "concurrency": 2}})
        )
    if where == "handled":
        wild = node("wild", kind, kind=act, policies={"on_error": "port"})
        return document(wild, node("after"), edges=["wild.error>after"])
    if where == "last":
        return document(node("before"), node("wild", kind, kind=act), edges=["before>wild"])
    return document(node("wild", kind, kind=act), node("after"), edges=["wild>after"])


def check_storable(report: Report) -> None:
    """Every row of the journal is JSON that PostgreSQL takes."""
    for record in steps_of(report.commits).values():
        for data in (record.outputs, record.error):
            if data is not None:
                decode_json(data, max_bytes=1 << 30)
    for event in events_of(report.commits):
        assert "\\u0000" not in encode_json({**event, "at": str(event["at"]), "started_at": ""}).decode()
    for commit in report.commits:
        for line in commit.logs:
            assert "\0" not in line.message
            line.message.encode()


async def check(workshop: Workshop, where: str, kind: str, act: str) -> None:
    """Run it; it must end, and say why."""
    async with asyncio.timeout(END_S):
        report = await workshop.run(place(where, kind, act))
    assert report.status == ("succeeded" if where == "handled" else "failed")
    failed = [key for key, status in report.settled.items() if status == "failed"]
    assert failed
    for key in failed:
        problem = report.error_of(key)
        assert problem["code"], problem
        assert problem["message"], problem
    check_storable(report)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("act", WILD_ACTS)
async def test_what_no_node_should_do_ends_in_a_definite_failure(
    workshop: Workshop, kind: str, act: str
) -> None:
    await check(workshop, "inline", f"test.wild{kind}", act)


@pytest.mark.parametrize("kind", ["", "_async"])
@pytest.mark.parametrize("where", PLACES)
async def test_wherever_in_the_graph_it_happens(workshop: Workshop, where: str, kind: str) -> None:
    for act in WILD_ACTS:
        await check(workshop, where, f"test.wild{kind}", act)
    for value in HOSTILE_VALUES:
        await check(workshop, where, f"test.hostile{kind}", value)
