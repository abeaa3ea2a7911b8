"""An installation for each test."""

from collections.abc import AsyncIterator

import pytest

from structforge.config import Settings
from tests.support.installation import Installation, installed


@pytest.fixture
async def installation(settings: Settings) -> AsyncIterator[Installation]:
    """Two organizations and their services."""
    async with installed(settings) as made:
        yield made
