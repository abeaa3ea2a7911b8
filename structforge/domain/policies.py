"""Policies every node has: retry, timeout, what an error does, caching. Pure values with their documentation.

Invariant: the defaults mean "once, no retry, an error fails the run".
"""

import random
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

OnError = Literal["fail", "continue", "port"]
OnInterrupted = Literal["retry", "hold", "fail"]


class RetryPolicy(BaseModel):
    """How often and when a failed attempt is tried again."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_attempts: Annotated[int, Field(ge=1, le=100)] = 1
    """Attempts in all, the first included; 1 means no retry."""
    backoff_s: Annotated[float, Field(ge=0, le=86_400)] = 1.0
    """Seconds before the second attempt; 0 retries at once."""
    multiplier: Annotated[float, Field(ge=1, le=10)] = 2.0
    """Each further wait is this many times the one before."""
    max_backoff_s: Annotated[float, Field(ge=0, le=86_400)] = 300.0
    """No wait is longer than this, whatever a server asks for by `Retry-After`."""
    jitter: Annotated[float, Field(ge=0, le=1)] = 0.1
    """Each wait is changed at random by up to this share, so that retries spread out."""
    on: tuple[str, ...] = ()
    """Error codes (or prefixes ending in `.`) that are retried; empty means all that are not marked final."""

    def wait_s(self, failed_attempt: int, asked_s: float = 0.0) -> float:
        """Return the seconds to wait after attempt `failed_attempt` (from 1) failed.

        `asked_s` is what the other side asked for; it is waited for up to `max_backoff_s`.
        """
        wait = min(self.backoff_s * self.multiplier ** (failed_attempt - 1), self.max_backoff_s)
        wait = wait * (1 + random.uniform(-self.jitter, self.jitter)) if self.jitter else wait
        return max(wait, min(asked_s, self.max_backoff_s))

    def retries(self, code: str) -> bool:
        """Tell whether an error of this code is tried again."""
        return not self.on or any(
            code == pattern or (pattern.endswith(".") and code.startswith(pattern)) for pattern in self.on
        )


class EachPolicy(BaseModel):
    """Run the node once per element of a list."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    items: str
    """An expression that gives the list; inside the node's parameters `item` and `index` name the element."""
    concurrency: Annotated[int, Field(ge=1, le=1_000)] = 1
    """How many elements run at the same time."""


class Policies(BaseModel):
    """What the engine does around a node's own work."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    retry: RetryPolicy = RetryPolicy()
    timeout_s: Annotated[float, Field(gt=0, le=604_800)] | None = None
    """Seconds one attempt may take; none means the limit of the installation."""
    on_error: OnError = "fail"
    """`fail` the run, `continue` with `error_value`, or take the `error` port."""
    error_value: Any = None
    """The value that travels on when `on_error` is `continue`."""
    on_interrupted: OnInterrupted | None = None
    """After a crash in the middle of this step; none means what the node type's effect implies."""
    each: EachPolicy | None = None
    cache: Literal["auto", "never"] | Annotated[int, Field(gt=0)] = "auto"
    """`auto`: pure nodes by content; `never`; or for that many seconds."""
