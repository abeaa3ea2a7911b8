"""Wait for something to become true: the one place in the tests that sleeps."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

_FIRST_PAUSE_S = 0.005
_LONGEST_PAUSE_S = 0.1


async def eventually(check: Callable[[], T | Awaitable[T]], *, timeout_s: float = 20.0) -> T:
    """Call `check` until it returns something true, and return that.

    An AssertionError from `check` counts as "not yet"; at the end it is the one that the test fails with.
    """
    deadline = time.monotonic() + timeout_s
    pause_s = _FIRST_PAUSE_S
    while True:
        failure: AssertionError | None = None
        try:
            found = check()
            value = await found if inspect.isawaitable(found) else found
            if value:
                return value
        except AssertionError as error:
            failure = error
        if time.monotonic() > deadline:
            raise failure or AssertionError(f"not true within {timeout_s:g} s: {inspect.getsource(check)}")
        await asyncio.sleep(pause_s)
        pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)


def eventually_sync(check: Callable[[], T], *, timeout_s: float = 20.0) -> T:
    """Do the same where there is no event loop."""
    return asyncio.run(eventually(check, timeout_s=timeout_s))
