"""Nothing that is read or written ends in an error without a code."""

import pytest

from tests.fuzz.file_nodes import run


@pytest.mark.parametrize("seed", ["first", "second"])
def test_random_files_and_values_end_in_values_or_coded_errors(seed: str) -> None:
    seen = run(150, seed)
    assert {"read", "written"} < set(seen)
