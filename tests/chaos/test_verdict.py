"""A row passes only when it came to its end and every check held."""

from pathlib import Path

import pytest

from structforge.chaos.verdict import SHOWN_FAILURES, Verdict, percentile


def test_a_row_that_did_not_come_to_its_end_has_failed() -> None:
    verdict = Verdict("R1", "storm")
    assert not verdict.passed
    verdict.finished = True
    assert verdict.passed


def test_a_check_that_does_not_hold_fails_the_row_and_is_kept() -> None:
    verdict = Verdict("R1", "storm", finished=True)
    verdict.check(True, "fine")
    for number in range(2 * SHOWN_FAILURES):
        verdict.check(False, f"lost {number}")
    assert not verdict.passed
    assert verdict.failures == [f"lost {number}" for number in range(SHOWN_FAILURES)]


def test_a_verdict_is_read_as_it_was_written(tmp_path: Path) -> None:
    verdict = Verdict("R2", "killed", {"kills": 3}, {"p95_s": 0.5}, ["late"], finished=True, took_s=1.5)
    verdict.save(tmp_path / "verdict.json")
    assert Verdict.load(tmp_path / "verdict.json") == verdict


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        ([], 0.95, 0.0),
        ([3.0], 0.95, 3.0),
        ([float(n) for n in range(100)], 0.95, 95.0),
        ([2.0, 1.0], 1.0, 2.0),
    ],
)
def test_percentiles(values: list[float], share: float, expected: float) -> None:
    assert percentile(values, share) == expected
