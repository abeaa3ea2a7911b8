"""What a row did and saw, and whether that is what was promised.

Invariant: a row passes when it came to its end and no check failed; a row that says nothing has failed.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

SHOWN_FAILURES = 20


@dataclass(slots=True)
class Verdict:
    """Filled by a row while it works."""

    row: str
    title: str
    done: dict[str, int] = field(default_factory=dict)
    """What was inflicted: `{"kills": 72}`."""
    figures: dict[str, Any] = field(default_factory=dict)
    """What was measured, units in the names."""
    failures: list[str] = field(default_factory=list)
    finished: bool = False
    took_s: float = 0.0

    @property
    def passed(self) -> bool:
        """The row came to its end and every check held."""
        return self.finished and not self.failures

    def did(self, what: str, count: int = 1) -> None:
        """Count something that was inflicted."""
        self.done[what] = self.done.get(what, 0) + count

    def check(self, held: bool, otherwise: str) -> None:
        """Note a promise that was not kept."""
        if not held and len(self.failures) < SHOWN_FAILURES:
            self.failures.append(otherwise)

    def as_json(self) -> dict[str, Any]:
        """Return it for the table and for `--json`."""
        return {**asdict(self), "passed": self.passed}

    def save(self, file: Path) -> None:
        """Write it where the command reads it."""
        draft = file.with_suffix(".draft")
        draft.write_text(json.dumps(self.as_json(), default=str))
        draft.replace(file)

    @classmethod
    def load(cls, file: Path) -> "Verdict":
        """Read it back. Raises: OSError, ValueError."""
        body = json.loads(file.read_text())
        body.pop("passed")
        return cls(**body)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that this share of all is not above; 0 of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
