"""One module a figure. Each has `measure(…) -> Result` and knows nothing of the others."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bench.figures import Figure


@dataclass(frozen=True, slots=True)
class Result:
    """What one measurement adds to `bench/latest.json`."""

    figures: Mapping[str, Figure | Mapping[str, Figure]]
    """By key; an object of figures where the key has several."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """Facts beside the figures: client CPU, percentiles, parts of a duration."""
