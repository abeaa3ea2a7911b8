"""The test bench refuses what the engine would refuse."""

from typing import Any

import pytest

from structforge.domain.errors import InvalidError
from structforge.sdk import (
    Execution,
    Inputs,
    Node,
    NodeContext,
    NodeError,
    Parameters,
    Port,
    Ports,
    parameter,
)
from structforge.sdk.testing import Bench, FakeHttp, FakeResponse, LogLine, run_node


class EchoParameters(Parameters):
    times: int = parameter(1, title="Times", ge=1)
    result: Any = parameter(None, title="Result")


class Echo(Node[EchoParameters]):
    """Gives its input back."""

    type = "test.echo"
    title = "Echo"
    category = "test"
    inputs = (Port("in"), Port("more", required=False, many=True))
    outputs = (Port("out"), Port("other"))
    Parameters = EchoParameters

    def run(self, context: NodeContext, parameters: EchoParameters, inputs: Inputs) -> Any:
        context.log("info", "echo", attempt=context.attempt, key=context.idempotency_key)
        if parameters.result is not None:
            return parameters.result
        return Ports({"out": [inputs["in"]] * parameters.times, "other": inputs.get("more")})


class Fetch(Node[EchoParameters]):
    """Asks an address."""

    type = "test.fetch"
    title = "Fetch"
    category = "test"
    inputs = ()
    execution = Execution.ASYNC
    Parameters = EchoParameters

    async def run(self, context: NodeContext, parameters: EchoParameters, inputs: Inputs) -> Any:
        response = await context.http.request("GET", "https://example.org/")
        return response.status_code


def test_it_returns_ports_and_the_log() -> None:
    outcome = run_node(Echo(), {"times": 2}, {"in": 5, "more": [1]}, attempt=3)
    assert outcome.ports == {"out": [5, 5], "other": [1]}
    assert outcome.log == (LogLine("info", "echo", {"attempt": 3, "key": "test-node"}),)


@pytest.mark.parametrize(
    ("parameters", "inputs", "code", "where"),
    [
        ({"times": 0}, {"in": 1}, "parameter.invalid", "parameters.times"),
        ({"tims": 1}, {"in": 1}, "parameter.unknown", "parameters.tims"),
        ({}, {}, "port.missing", "input in"),
        ({}, {"in": 1, "x": 1}, "port.unknown", "input x"),
        ({}, {"in": 1, "more": 5}, "port.not_a_list", "input more"),
        ({"result": Ports({"x": 1})}, {"in": 1}, "port.unknown", ""),
        ({"result": {1, 2}}, {"in": 1}, "result.not_json", "output out"),
        ({"result": float("nan")}, {"in": 1}, "result.not_json", "output out"),
    ],
)
def test_it_refuses_what_the_engine_would(
    parameters: dict[str, Any], inputs: dict[str, Any], code: str, where: str
) -> None:
    with pytest.raises(InvalidError) as caught:
        run_node(Echo(), parameters, inputs)
    assert (caught.value.problem.code, caught.value.problem.where) == (code, where)


def test_every_wrong_parameter_is_named() -> None:
    with pytest.raises(InvalidError) as caught:
        run_node(Echo(), {"times": 0, "x": 1}, {"in": 1})
    assert [problem.where for problem in caught.value.problems] == ["parameters.times", "parameters.x"]


def test_asynchronous_nodes_and_the_fake_network() -> None:
    http = FakeHttp(lambda *sent: FakeResponse(204))
    assert run_node(Fetch(), http=http).value == 204
    assert http.requests == [("GET", "https://example.org/", {}, b"")]
    with pytest.raises(NodeError) as caught:
        run_node(Fetch())
    assert caught.value.problem.code == "outbound.blocked"


async def test_a_bench_shares_artifacts_and_cleans_up() -> None:
    with Bench() as bench:
        ref = bench.artifacts.put(b"data", media_type="text/plain", name="a.txt")
        with bench.artifacts.open(ref) as stream:
            assert stream.read() == b"data"
        assert (await bench.run_async(Echo(), {}, {"in": ref.as_json()})).ports["out"] == [ref.as_json()]
    with pytest.raises(NodeError) as caught:
        bench.artifacts.path(ref)
    assert caught.value.problem.code == "artifact.missing"
    assert not bench.files.exists()
