"""Medians and how far they spread."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Figure:
    """The median of some samples, and the lowest and highest of them."""

    median: float
    low: float
    high: float
    samples: int

    @classmethod
    def of(cls, samples: Sequence[float], digits: int = 3) -> "Figure":
        """Summarise samples. Raises: statistics.StatisticsError when there are none."""
        middle, low, high = (round(value, digits) for value in (median(samples), min(samples), max(samples)))
        return cls(middle, low, high, len(samples))

    @property
    def spread(self) -> list[float]:
        """The lowest and the highest sample."""
        return [self.low, self.high]
