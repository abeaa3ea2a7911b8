"""A moment of each fuzzer; `python -m tests.fuzz postgres http hooks` runs them at length."""

import random
from collections.abc import Awaitable, Callable

import pytest

from tests.fuzz.http_messages import answer_fuzz, hook_round, request_bench, request_round
from tests.fuzz.postgres_values import postgres_fuzz
from tests.support.servers import Servers

ROUNDS = 150
SEEDS = (1, 2)


async def repeat(round_: Callable[[], Awaitable[None]], times: int = ROUNDS) -> None:
    for _ in range(times):
        await round_()


@pytest.mark.parametrize("seed", SEEDS)
async def test_any_value_goes_into_any_type_or_is_refused_with_a_code(servers: Servers, seed: int) -> None:
    async with postgres_fuzz(servers, random.Random(seed)) as fuzz:
        await repeat(fuzz.round)
        await repeat(fuzz.open_round, 20)
        assert fuzz.counts["taken"] and fuzz.counts["refused"]


@pytest.mark.parametrize("seed", SEEDS)
async def test_any_answer_of_a_server_is_read_or_refused_with_a_code(seed: int) -> None:
    async with answer_fuzz(random.Random(seed)) as fuzz:
        await repeat(fuzz.round)
        assert fuzz.counts["read"] and fuzz.counts["refused"]


@pytest.mark.parametrize("seed", SEEDS)
async def test_any_request_is_sent_or_refused_with_a_code(seed: int) -> None:
    source = random.Random(seed)
    async with request_bench() as bench:
        await repeat(lambda: request_round(source, bench))


@pytest.mark.parametrize("seed", SEEDS)
async def test_any_request_to_a_webhook_is_read_or_refused_with_a_code(seed: int) -> None:
    source = random.Random(seed)
    await repeat(lambda: hook_round(source), 1_000)
