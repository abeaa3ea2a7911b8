"""An installation for each test."""

from collections.abc import AsyncIterator

import httpx
import pytest

from structforge.config import Settings
from tests.support.installation import Installation, installed


@pytest.fixture
async def installation(settings: Settings) -> AsyncIterator[Installation]:
    """Two organizations and the gateway."""
    async with installed(settings) as made:
        yield made


@pytest.fixture
async def http(installation: Installation) -> AsyncIterator[httpx.AsyncClient]:
    """A client signed in as the owner of the first organization."""
    async with installation.http(await installation.token()) as client:
        yield client
