"""Folders for servers that run as another user: pytest's own are closed again whenever a session starts."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def folder() -> Iterator[Path]:
    """A temporary folder of this test."""
    made = Path(tempfile.mkdtemp(prefix="structforge-test-"))
    yield made
    shutil.rmtree(made, ignore_errors=True)
