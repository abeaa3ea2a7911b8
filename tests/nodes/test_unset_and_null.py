"""Left out and null are different: a null that an expression gives is the value, never "not given"."""

import asyncio
import inspect
from collections.abc import Callable, Iterator
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from structforge.domain.errors import StructForgeError
from structforge.nodes import builtin
from structforge.sdk import NodeRegistry, Ports
from structforge.sdk.control import Call, Return
from structforge.sdk.parameters import stand_ins
from structforge.sdk.testing import Bench, FakeContext, FakeHttp, FakeResponse, validated

REGISTRY = NodeRegistry()
builtin.register(REGISTRY)
SECRET = {"secret": 1}
LEFT_OUT = object()


def models(kind: Any, seen: set[type]) -> Iterator[type[BaseModel]]:
    """Yield the models in an annotation, and those in their fields."""
    if isinstance(kind, type) and issubclass(kind, BaseModel) and kind not in seen:
        seen.add(kind)
        yield kind
        for field in kind.model_fields.values():
            yield from models(field.annotation, seen)
    for argument in get_args(kind):
        yield from models(argument, seen)


def fields(wanted: Callable[[Any], bool]) -> set[tuple[str, str]]:
    """Return model and field of each field with a default whose annotation is wanted."""
    seen: set[type] = set()
    return {
        (model.__name__, name)
        for node in REGISTRY
        for model in models(node.Parameters, seen)
        for name, field in model.model_fields.items()
        if not field.is_required() and wanted(field.annotation)
    }


BY_NODE = {node.Parameters.__name__: node for node in REGISTRY}
STAND_INS = {
    (node.Parameters.__name__, name) for node in REGISTRY for name, _ in stand_ins(node.Parameters).values()
}
"""Tested in test_table_inputs.py."""


def outcome(model: str, parameters: dict[str, Any]) -> Any:
    """Run a node with the input that nobody may see; returns its result or the code of its error."""
    node = BY_NODE[model]
    http = FakeHttp(lambda method, url, headers, content: FakeResponse(content=content))
    with Bench(http=http) as bench:
        context = FakeContext(bench.files, bench.artifacts, bench.http)
        try:
            result = node.run(context, validated(node, parameters), {"in": SECRET})
            if inspect.isawaitable(result):
                result = asyncio.run(_awaited(result))
        except StructForgeError as error:
            return error.problem.code
    match result:
        case Return(value=value) | Call(input=value):
            return value
        case Ports(values=ports):
            return set(ports)
    return http.requests[-1][3] if http.requests else result


async def _awaited(result: Any) -> Any:
    return await result


RESPONSE = {"status": 200, "headers": {}}
CASES = {
    ("RespondParameters", "body"): ({}, RESPONSE | {"body": SECRET}, RESPONSE | {"body": None}),
    ("ReturnParameters", "value"): ({}, SECRET, None),
    ("CallParameters", "input"): ({"workflow": "w"}, SECRET, {}),
    ("SwitchParameters", "value"): (
        {"cases": [{"name": "none", "match": None}]},
        "parameter.invalid",
        {"none"},
    ),
    ("HttpRequestParameters", "body"): (
        {"url": "https://example.org", "method": "POST", "body_type": "json"},
        LEFT_OUT,
        b"null",
    ),
}
"""What a node gives when the parameter is left out, and when it is null."""
ELSEWHERE = {
    ("LoopParameters", "items"),  # The engine takes the list: below.
    ("Condition", "value"),  # One of a filter: equal to null, or an error; tests/nodes/test_tables.py.
}
NULL_MEANS_NONE = {
    ("CallParameters", "number"), ("CallParameters", "time_limit_s"), ("ApprovalParameters", "time_limit_s"),
    ("WaitWebhookParameters", "time_limit_s"), ("ReportParameters", "decimals"), ("SortParameters", "limit"),
    ("GroupKey", "part"), ("ExecuteParameters", "batch"),
}  # fmt: skip
"""Limits and choices for which null says the same as leaving out: none. `batch` refuses a null that is given."""


def test_each_parameter_that_takes_any_value_is_decided() -> None:
    assert fields(lambda kind: kind is Any) == CASES.keys() | ELSEWHERE | STAND_INS


def test_each_other_parameter_that_may_be_null_is_decided() -> None:
    assert fields(lambda kind: type(None) in get_args(kind)) >= NULL_MEANS_NONE


@pytest.mark.parametrize("place", CASES, ids=str)
def test_null_is_a_value(place: tuple[str, str]) -> None:
    model, name = place
    parameters, left_out, null = CASES[place]
    assert outcome(model, {**parameters, name: None}) == null
    if left_out is not LEFT_OUT:
        assert outcome(model, parameters) == left_out


def test_a_loop_goes_through_the_list_that_it_is_given() -> None:
    loop = REGISTRY["flow.loop"]
    with pytest.raises(StructForgeError) as caught:
        validated(loop, {})
    assert caught.value.problem.message == "Loop: going through a list needs the list."
    assert validated(loop, {"items": None}).given("items")
    assert validated(loop, {"mode": "repeat"}).until == ""


def test_a_batch_that_is_null_is_no_single_write() -> None:
    execute = REGISTRY["database.execute"]
    given = {"connection": "c", "statements": ["DELETE FROM t"]}
    assert validated(execute, given).batch is None
    with pytest.raises(StructForgeError) as caught:
        validated(execute, {**given, "batch": None})
    assert caught.value.problem.code == "parameter.invalid"
