"""Whatever data and parameters come, no built-in node type crashes, and what it says is in our words."""

import pytest

from structforge.sdk.testing import run_node
from tests.fuzz.node_types import FOREIGN, fuzz, nodes_that_run, registry

ROUNDS = 60
SEEDS = range(4)


@pytest.mark.parametrize("seed", SEEDS)
def test_random_data_and_parameters_end_in_a_result_or_a_problem_of_ours(seed: int) -> None:
    found = fuzz(seed, rounds=ROUNDS)
    assert found.faults == {}
    assert found.runs == ROUNDS * len(list(nodes_that_run(registry())))


def test_the_fuzzer_knows_foreign_words() -> None:
    for text in ("Input should be a text", "dtype String", "got None", "a TypeError", "'x' is a dict"):
        assert FOREIGN.search(text)
    for text in ("True or false is needed", "A list is needed", "There is nothing."):
        assert not FOREIGN.search(text)


def test_more_rows_than_a_machine_counts_can_be_left_out() -> None:
    node = registry()["table.sort"]
    assert run_node(node, {"limit": 10**30}, {"in": [{"a": 1}]}).value == [{"a": 1}]
    run_node(node, {"skip": 10**30}, {"in": [{"a": 1}]})
