"""Automatic layout: layers from left to right, each ordered so that edges cross little.

Invariant: pure, and total on any document, loops included: the edges that close a loop are left out.
"""

import heapq
from collections import defaultdict

from structforge.domain.workflow import Position, WorkflowDocument

COLUMN = 300
ROW = 130
SWEEPS = 4


def arranged(document: WorkflowDocument) -> dict[str, Position]:
    """Return a place for every node."""
    names = [node.id for node in document.nodes]
    after = _forward_edges(document)
    before: dict[str, list[str]] = defaultdict(list)
    for source, targets in after.items():
        for target in targets:
            before[target].append(source)
    layer = _layers(names, after, before)
    columns: dict[int, list[str]] = defaultdict(list)
    for name in names:
        columns[layer[name]].append(name)
    for sweep in range(SWEEPS):
        neighbours = before if sweep % 2 == 0 else after
        for number in sorted(columns, reverse=sweep % 2 == 1):
            _order(columns[number], neighbours, columns)
    tallest = max((len(column) for column in columns.values()), default=0)
    return {
        name: Position(x=number * COLUMN, y=round((row + (tallest - len(column)) / 2) * ROW))
        for number, column in columns.items()
        for row, name in enumerate(column)
    }


def reading_order(document: WorkflowDocument) -> list[str]:
    """Return the node ids so that what feeds a node stands before it, else in the document's order."""
    after = _forward_edges(document)
    waiting = {node.id: 0 for node in document.nodes}
    for targets in after.values():
        for target in targets:
            waiting[target] += 1
    place = {node.id: number for number, node in enumerate(document.nodes)}
    ready = [(place[name], name) for name, count in waiting.items() if count == 0]
    heapq.heapify(ready)
    order = []
    while ready:
        name = heapq.heappop(ready)[1]
        order.append(name)
        for target in after.get(name, []):
            waiting[target] -= 1
            if waiting[target] == 0:
                heapq.heappush(ready, (place[target], target))
    return order


def _forward_edges(document: WorkflowDocument) -> dict[str, list[str]]:
    """Return the edges without those that lead back to a node on the way (depth first, without recursion)."""
    targets: dict[str, list[str]] = defaultdict(list)
    known = {node.id for node in document.nodes}
    for edge in document.edges:
        if edge.source in known and edge.target in known:
            targets[edge.source].append(edge.target)
    forward: dict[str, list[str]] = defaultdict(list)
    done: set[str] = set()
    for node in document.nodes:
        if node.id in done:
            continue
        path: dict[str, int] = {node.id: 0}
        while path:
            name, index = next(reversed(path.items()))
            if index == len(targets[name]):
                done.add(name)
                del path[name]
                continue
            path[name] = index + 1
            target = targets[name][index]
            if target in path:
                continue
            forward[name].append(target)
            if target not in done:
                path[target] = 0
    return forward


def _layers(names: list[str], after: dict[str, list[str]], before: dict[str, list[str]]) -> dict[str, int]:
    waiting = {name: len(before.get(name, [])) for name in names}
    layer = dict.fromkeys(names, 0)
    ready = [name for name in names if waiting[name] == 0]
    while ready:
        name = ready.pop()
        for target in after.get(name, []):
            layer[target] = max(layer[target], layer[name] + 1)
            waiting[target] -= 1
            if waiting[target] == 0:
                ready.append(target)
    return layer


def _order(column: list[str], neighbours: dict[str, list[str]], columns: dict[int, list[str]]) -> None:
    height = {name: row / len(names) for names in columns.values() for row, name in enumerate(names)}
    middle = {
        name: sum(height[other] for other in near) / len(near)
        if (near := neighbours.get(name))
        else height[name]
        for name in column
    }
    column.sort(key=lambda name: middle[name])
