"""A workshop: the engine with real node types, a real process pool and the journal in memory."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from structforge.runtime.processes import ProcessPool
from structforge.sdk import NodeRegistry
from tests.support.execution import Workshop
from tests.support.workflows import PLUGIN_FOLDER, registry_with_test_nodes


@pytest.fixture(scope="session")
def registry() -> NodeRegistry:
    """Built-ins and the test plugin."""
    return registry_with_test_nodes()


@pytest.fixture
async def workshop(
    registry: NodeRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Workshop]:
    """A place to execute documents in."""
    monkeypatch.setenv("PYTHONPATH", str(PLUGIN_FOLDER))
    pool = ProcessPool(2, tmp_path / "store", tmp_path, 1 << 20)
    yield Workshop(registry, tmp_path / "shop", pool)
    await pool.close()
