"""The door for node types: built-ins and installed packages come in by the same function.

A plugin is a package with an entry point in the group `structforge.nodes` that names a function
`register(registry: NodeRegistry) -> None`. Invariant: a plugin that fails is left out whole and reported; it
never stops the program or leaves half of its types behind. Entry points and `wiring` call `load_registry`.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points

from structforge.domain.errors import Problem, sentence
from structforge.nodes import builtin
from structforge.sdk import NodeRegistry

GROUP = "structforge.nodes"

log = logging.getLogger(__name__)

Register = Callable[[NodeRegistry], None]


@dataclass(frozen=True, slots=True)
class Plugin:
    """What one plugin brought."""

    name: str
    node_types: tuple[str, ...] = ()
    problem: Problem | None = None
    """Why it was left out."""


@dataclass(frozen=True, slots=True)
class LoadedPlugins:
    """The registry and how it came about."""

    registry: NodeRegistry
    plugins: tuple[Plugin, ...]


def load_registry(denied: Iterable[str] = ()) -> NodeRegistry:
    """Return the registry of all node types of this installation; `denied` names plugins to leave out."""
    return load_plugins(denied).registry


def load_plugins(denied: Iterable[str] = (), points: Iterable[EntryPoint] | None = None) -> LoadedPlugins:
    """Load the built-ins, then every installed plugin by name.

    `points` replaces the entry points of the installed packages. Raises: ValueError when the built-ins
    themselves do not register: that is a bug of ours.
    """
    registry = NodeRegistry()
    builtin.register(registry)
    loaded = [Plugin("builtin", tuple(sorted(node.type for node in registry)))]
    left_out = frozenset(denied)
    found = entry_points(group=GROUP) if points is None else points
    for point in sorted(found, key=lambda point: point.name):
        if point.name not in left_out:
            registry, plugin = _admit(registry, point)
            loaded.append(plugin)
    return LoadedPlugins(registry, tuple(loaded))


def _admit(registry: NodeRegistry, point: EntryPoint) -> tuple[NodeRegistry, Plugin]:
    """Return the registry with the plugin's types, or as it was when the plugin fails."""
    trial = NodeRegistry(type(node) for node in registry)
    try:
        register: Register = point.load()
        register(trial)
    except (
        Exception
    ) as error:  # a plugin is foreign code: whatever it raises becomes a problem people can read
        problem = Problem(
            "plugin.failed",
            sentence(
                "The plugin `{name}` was left out: {error___name}: {error}",
                name=point.name,
                error___name=type(error).__name__,
                error=error,
            ),
            where=f"entry point {point.value}",
            hint="Update or remove the package, or list the plugin among the denied ones.",
        )
        log.warning("plugin left out", extra={"problem": problem.as_json()}, exc_info=error)
        return registry, Plugin(point.name, problem=problem)
    added = {node.type for node in trial} - {node.type for node in registry}
    return trial, Plugin(point.name, tuple(sorted(added)))
