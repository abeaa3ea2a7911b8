"""For every row, row expressions give what the `{{ }}` language gives: random expressions over random tables."""

import pytest

from tests.fuzz.row_expressions import differences


@pytest.mark.parametrize("seed", range(20))
def test_both_languages_give_the_same(seed: int) -> None:
    found = list(differences(1_000_000 + seed, 120))
    assert not found, "\n".join(str(each) for each in found)
