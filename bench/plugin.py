"""The bench's own node type, offered to the measured processes as an installed package would: by entry point."""

import asyncio
from pathlib import Path

from structforge.plugins import GROUP
from structforge.sdk import Execution, Inputs, Node, NodeContext, NodeRegistry, Result
from structforge.sdk.parameters import NoParameters

WAIT_S = 1.0


class WaitASecond(Node[NoParameters]):
    """Waits one second without holding anything."""

    type = "bench.wait"
    title = "Wait a second"
    category = "flow"
    execution = Execution.ASYNC
    Parameters = NoParameters

    async def run(self, context: NodeContext, parameters: NoParameters, inputs: Inputs) -> Result:
        """Wait."""
        await asyncio.sleep(WAIT_S)
        return {"waited_s": WAIT_S}


def register(registry: NodeRegistry) -> None:
    """Add the node types of the bench."""
    registry.register(WaitASecond)


def write_distribution(folder: Path) -> None:
    """Make `folder` a place on the module path in which this plugin is installed."""
    info = folder / "structforge_bench-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: structforge-bench\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[{GROUP}]\nbench = {__name__}:{register.__name__}\n")
