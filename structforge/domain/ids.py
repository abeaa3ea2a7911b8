"""Identifiers: time-ordered UUIDs for rows, short readable names for nodes.

Invariant: ids of one process never decrease, so indexes stay append-only and a batch sorts by age.
"""

import os
import re
import threading
import time
from uuid import UUID, uuid5

NODE_ID = re.compile(r"[a-z][a-z0-9_]{0,47}")
"""A node id: lower case, starts with a letter, at most 48 characters, because expressions name it."""

_lock = threading.Lock()
_last = 0


def new_id() -> UUID:
    """Make a UUIDv7: 48 bits of milliseconds, a 12-bit sequence, 62 random bits.

    Source: RFC 9562, section 5.7, with method 1 of section 6.2 (a counter in `rand_a`).
    """
    global _last
    with _lock:
        # Milliseconds and counter as one number: when the counter overflows it borrows from the future.
        _last = max(_last + 1, time.time_ns() // 1_000_000 << 12)
        stamp = _last
    millis, counter = stamp >> 12, stamp & 0xFFF
    tail = int.from_bytes(os.urandom(8), "big") & 0x3FFF_FFFF_FFFF_FFFF
    return UUID(int=(millis & 0xFFFF_FFFF_FFFF) << 80 | 0x7 << 76 | counter << 64 | 0b10 << 62 | tail)


def child_id(parent: UUID, step_key: str, attempt: int = 0) -> UUID:
    """Return the id of the run that an attempt of a step starts: whoever repeats the attempt finds that run."""
    return uuid5(parent, f"{attempt}/{step_key}")


def readable_id(text: str, taken: frozenset[str] | set[str] = frozenset()) -> str:
    """Make a node id out of `text` that is not among `taken` (`Fetch orders!` becomes `fetch_orders`)."""
    stem = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:40] or "node"
    if not stem[0].isalpha():
        stem = f"n_{stem}"
    name, number = stem, 2
    while name in taken:
        name, number = f"{stem}_{number}", number + 1
    return name
