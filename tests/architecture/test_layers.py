"""The tree is held to its rules: imports point down, no circle, one reader of the environment, no work by importing.

That no import hides in a function is ruff's to say (PLC0415).
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

LAYERS: tuple[tuple[str, ...], ...] = (
    ("domain", "config"),
    ("sdk", "ai", "storage", "security", "sandbox"),
    ("engine", "nodes"),
    ("plugins", "telemetry"),
    ("runtime", "interchange"),
    ("services",),
    ("api", "local_api"),
    ("wiring",),
    ("ui",),
    ("embedded", "doctor"),
    ("chaos",),
    ("commands",),
    ("cli", "workers"),
)
"""Packages and modules of `structforge`, the lowest first; one may import its own layer and those below."""

HEIGHT = {name: height for height, names in enumerate(LAYERS) for name in names}

ONLY_IN = {
    "reflex": ("structforge/ui/", "rxconfig.py"),
    "rq": ("structforge/runtime/", "workers/"),
    "fastapi": ("structforge/api/", "structforge/ui/"),
    "sqlalchemy": (
        "structforge/storage/",
        "structforge/services/",
        "structforge/wiring/",
        "structforge/doctor.py",
    ),
}
"""A library, and the only places that may know it."""


def sources() -> list[Path]:
    """Return every module of the program."""
    return sorted([*(ROOT / "structforge").rglob("*.py"), *(ROOT / "workers").rglob("*.py")])


def name_of(path: Path) -> str:
    """Return the dotted name of a module."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


NAMES = frozenset(name_of(path) for path in sources())


def imported(tree: ast.AST, module: str) -> Iterator[str]:
    """Yield the full name of everything a module imports at run time."""
    for found in ast.walk(tree):
        if isinstance(found, ast.Import):
            yield from (alias.name for alias in found.names)
        elif isinstance(found, ast.ImportFrom):
            base = found.module or ""
            assert not found.level, f"{module} imports relatively"
            for alias in found.names:
                full = f"{base}.{alias.name}"
                yield full if full in NAMES else base


def part_of(module: str) -> str | None:
    """Return the name in `LAYERS` that a module belongs to; None when it is not ours."""
    head, _, rest = module.partition(".")
    if head == "workers":
        return "workers"
    return rest.partition(".")[0] or None if head == "structforge" else None


def edges() -> dict[str, set[str]]:
    """Return which module of ours imports which."""
    return {
        name_of(path): {
            found for found in imported(ast.parse(path.read_text()), name_of(path)) if found in NAMES
        }
        for path in sources()
    }


def test_every_part_has_its_layer() -> None:
    assert {part for name in NAMES if (part := part_of(name))} - set(HEIGHT) == set()


def test_imports_point_down() -> None:
    upward = [
        f"{module} -> {target}"
        for module, targets in edges().items()
        for target in sorted(targets)
        if (above := part_of(module)) and (below := part_of(target)) and HEIGHT[below] > HEIGHT[above]
    ]
    assert upward == []


def test_only_entry_points_see_the_composition_root() -> None:
    # The web process lives in `ui`; `embedded.setup` is a process that the supervisor starts.
    allowed = (
        "structforge.cli",
        "structforge.commands",
        "structforge.ui",
        "structforge.embedded.setup",
        "structforge.wiring",
        "workers",
    )
    seen = [
        module
        for module, targets in edges().items()
        if any(target.startswith("structforge.wiring") for target in targets)
        and not module.startswith(allowed)
    ]
    assert seen == []


def test_chaos_is_known_to_its_command_alone() -> None:
    seen = [
        module
        for module, targets in edges().items()
        if not module.startswith(("structforge.chaos", "structforge.commands.chaos"))
        and any(target.startswith("structforge.chaos") for target in targets)
    ]
    assert seen == []


def test_there_is_no_circle() -> None:
    graph = edges()
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join([*path[path.index(module) :], module])
        if module not in done:
            for target in sorted(graph[module] - {module}):
                visit(target, (*path, module))
            done.add(module)

    for module in sorted(graph):
        visit(module, ())


def test_only_the_settings_read_the_environment() -> None:
    readers = {
        name_of(path)
        for path in sources()
        for found in ast.walk(ast.parse(path.read_text()))
        if (isinstance(found, ast.Attribute) and found.attr in {"environ", "environb", "getenv"})
        or (
            isinstance(found, ast.ImportFrom)
            and found.module == "os"
            and {alias.name for alias in found.names} & {"environ", "environb", "getenv"}
        )
    }
    assert readers == {"structforge.config"}


@pytest.mark.parametrize("library", ONLY_IN)
def test_a_library_stays_in_its_place(library: str) -> None:
    astray = [
        place
        for path in sources()
        if not (place := str(path.relative_to(ROOT))).startswith(ONLY_IN[library])
        and any(found.partition(".")[0] == library for found in imported(ast.parse(path.read_text()), place))
    ]
    assert astray == []


HEAVY = {
    "workers.run": ("sqlalchemy", "sqlmodel", "fastapi", "reflex", "alembic"),
    "workers.schedule": (
        "sqlalchemy",
        "sqlmodel",
        "fastapi",
        "reflex",
        "alembic",
        "polars",
        "jinja2",
        "httpx",
    ),
}
"""What a process can do without: each library costs its start and its idle memory."""


@pytest.mark.parametrize("process", HEAVY)
def test_a_process_loads_only_what_it_needs(process: str) -> None:
    told = subprocess.run(
        [sys.executable, "-c", f"import sys, {process}; print(*sys.modules)"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert set(HEAVY[process]) & set(told.stdout.split()) == set()


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        name_of(path)
        for path in sources()
        if path.read_text() and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert silent == []


WATCH = """
import importlib, os, sys
for third_party in THIRD_PARTY:
    importlib.import_module(third_party)
done = []
def watch(event, arguments):
    if event.startswith("socket.") and event not in ("socket.__new__", "socket.gethostname"):
        done.append((event, repr(arguments)[:200]))
    if event in ("subprocess.Popen", "os.system", "os.exec", "os.fork", "os.mkdir", "os.remove", "os.rename"):
        done.append((event, repr(arguments)[:200]))
    if event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        done.append((event, repr(arguments)[:200]))
sys.addaudithook(watch)
sys.dont_write_bytecode = True
for name in MODULES:
    found = len(done)
    importlib.import_module(name)
    for event, arguments in done[found:]:
        sys.stdout.write(f"{name}: {event} {arguments}\\n")
"""

# Reflex writes a log file and asks for its settings while it is imported, and so do its pages while they are built.
BUILDS_PAGES = "structforge.ui"
PROCESS_CHILDREN = ("structforge.cli.__main__",)


def test_importing_a_module_does_nothing() -> None:
    modules = sorted(
        name for name in NAMES if not name.startswith(BUILDS_PAGES) and name not in PROCESS_CHILDREN
    )
    third_party = sorted(
        {
            found.partition(".")[0]
            for path in sources()
            if not name_of(path).startswith(BUILDS_PAGES)
            for found in imported(ast.parse(path.read_text()), name_of(path))
        }
        - {"structforge", "workers"}
    )
    program = WATCH.replace("THIRD_PARTY", repr(third_party)).replace("MODULES", repr(modules))
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    assert done.stdout == ""


def test_knowing_the_node_types_loads_no_library_that_only_some_steps_need() -> None:
    """Every process loads the node types; these libraries would nearly double its memory."""
    heavy = ("pyarrow", "xlsxwriter", "fastexcel", "charset_normalizer")
    names = f"[name for name in {heavy} if name in sys.modules]"
    program = f"import sys; from structforge import plugins; plugins.load_registry(); print({names})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
