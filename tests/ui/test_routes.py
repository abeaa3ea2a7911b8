"""Where a sign-in may lead."""

import pytest

from structforge.ui import routes


@pytest.mark.parametrize("path", ["/runs", "/runs/1?a=b", "/"])
def test_own_paths_stay(path: str) -> None:
    assert routes.local_path(path) == path


@pytest.mark.parametrize(
    "path", ["", "runs", "//evil.example", "/\\evil.example", "https://evil.example", "javascript:alert(1)"]
)
def test_other_places_become_the_home_page(path: str) -> None:
    assert routes.local_path(path) == routes.HOME
