"""The start-up of one installation, as an ordered list of named steps.

Invariant: every step can be taken again after a crash at any point of it, and costs next to nothing when
there is nothing to do. Imported by the commands alone.
"""

import hashlib
import json
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, replace

from structforge.config import Settings
from structforge.domain.errors import Problem, UnavailableError, sentence
from structforge.embedded.postgres import EmbeddedPostgres, tail
from structforge.embedded.redis import EmbeddedRedis
from structforge.embedded.supervisor import Service, Step, Supervisor
from structforge.embedded.system_user import let_through, server_account
from structforge.ui.bundle import SOURCE, build_bundle, bundle_is_current
from structforge.ui.server import APPLICATION, web_environment

READY_TIMEOUT_S = 90.0
START_ATTEMPTS = 3
PORTS_TRIED = 50
STARTER_MARK = "starter-ran"
PREPARED_MARK = "structforge-prepared"

ENTRY_MODULES = {"web": "structforge.ui.server", "worker": "workers.run", "scheduler": "workers.schedule"}
"""What each service runs, as `python -m MODULE` does."""
WEB_MODULE = "structforge.ui.web_process"
"""What `ui.server` becomes; started directly to save an interpreter's start."""


@dataclass(frozen=True, slots=True)
class StartOptions:
    """What the caller of `structforge up` may choose."""

    run_starter: bool = True
    """Run the starter workflow once the first time everything is healthy."""


def startup_steps(settings: Settings, options: StartOptions) -> list[Step]:
    """Return the steps for these settings: those of servers elsewhere are left out."""
    steps = []
    if settings.embedded_postgres:
        steps.append(Step("PostgreSQL", _start_postgres))
    if settings.embedded_redis:
        steps.append(Step("Redis", _start_redis))
    steps.append(Step("Database, first organization, starter workflows", _prepare))
    if not bundle_is_current(settings):
        steps.append(Step("Web app, built once", _build))
    steps.append(Step("Web, worker and scheduler", _start_services))
    if options.run_starter and not (settings.run_dir / STARTER_MARK).exists():
        steps.append(Step("Starter workflow", _run_starter))
    return steps


def prepare_home(settings: Settings) -> None:
    """Create the home folder, private to its user, and its sub-folders.

    Raises:
        UnavailableError: it cannot be created or written.
    """
    try:
        settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        for folder in (settings.run_dir, settings.logs_dir, settings.artifacts_dir, settings.files_dir):
            folder.mkdir(parents=True, exist_ok=True)
        let_through(settings.home, server_account())
    except OSError as error:
        raise UnavailableError(
            Problem(
                "home.not_writable",
                sentence(
                    "The home folder {home} cannot be used: {strerror}.",
                    home=settings.home,
                    strerror=error.strerror,
                ),
                where=str(settings.home),
                hint="Set STRUCTFORGE_HOME to a folder you can write.",
            )
        ) from None


def choose_port(settings: Settings, last_port: int | None) -> int:
    """Return the port for the web process: the wanted one, or the next that is free.

    A port that an earlier start had to move to is preferred, so that bookmarks keep working.
    """
    wanted: list[int] = [settings.port, *range(settings.port + 1, min(settings.port + PORTS_TRIED, 65536))]
    if last_port is not None and "port" not in settings.model_fields_set:
        wanted.insert(0, last_port)
    for port in wanted:
        if port_is_free(settings.host, port):
            return port
    with socket.socket() as probe:
        probe.bind((settings.host, 0))
        return int(probe.getsockname()[1])


def port_is_free(host: str, port: int) -> bool:
    """Say whether one could listen there now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def web_answers(url: str, timeout_s: float = 2.0) -> str | None:
    """Ask the web process whether it is ready; returns None when it is, else what it said."""
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=timeout_s):
            return None
    except urllib.error.HTTPError as error:
        return f"{error.code}: {error.read(500).decode(errors='replace')}"
    except OSError as error:
        return str(error)


def _start_postgres(supervisor: Supervisor) -> str:
    settings = supervisor.settings
    server = EmbeddedPostgres(settings.postgres_dir, settings.socket_dir, settings.logs_dir / "postgres.log")
    return "the running one" if supervisor.start_server(server) else ""


def _start_redis(supervisor: Supervisor) -> str:
    settings = supervisor.settings
    server = EmbeddedRedis(settings.redis_dir, settings.socket_dir, settings.logs_dir / "redis.log")
    return "the running one" if supervisor.start_server(server) else ""


def _prepare(supervisor: Supervisor) -> str:
    settings = supervisor.settings
    # Kept with the data it speaks of: whoever removes the database removes the mark. A server elsewhere may
    # change behind our back, so it is asked each time.
    mark = settings.postgres_dir / PREPARED_MARK
    wanted = _preparation_key()
    if settings.embedded_postgres and mark.is_file() and mark.read_text() == wanted:
        return "up to date"
    outcome = ""

    def on_line(line: str) -> None:
        nonlocal outcome
        event = json.loads(line)
        if event["event"] == "outcome":
            outcome = event["text"]
        else:
            supervisor.reporter.emit(event)

    _run_setup(supervisor, ["prepare"], on_line)
    if settings.embedded_postgres:
        mark.write_text(wanted)
    return outcome


def _preparation_key() -> str:
    """Return the hash of what `prepare` puts into a database: migrations and starter workflows."""
    digest = hashlib.sha256()
    for folder in ("alembic/versions", "examples", "structforge/storage", "structforge/domain"):
        for path in sorted((SOURCE / folder).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(str(path.relative_to(SOURCE)).encode() + path.read_bytes())
    return digest.hexdigest()


def _build(supervisor: Supervisor) -> str:
    build_bundle(
        supervisor.settings, lambda line: supervisor.reporter.emit({"event": "detail", "text": line})
    )
    return ""


def _start_services(supervisor: Supervisor) -> str:
    settings = supervisor.settings
    workers = _worker_names(settings.worker_processes)
    supervisor.start_service(_web(settings))
    for name in workers:
        supervisor.start_service(_service(name, ENTRY_MODULES["worker"]))
    _wait_until_ready(supervisor, ["web", *workers])
    # Last, and not waited for: it sweeps, and its start would take the processor from those that people wait for.
    supervisor.start_service(_service("scheduler", ENTRY_MODULES["scheduler"]))
    return settings.web_url


def _web(settings: Settings) -> Service:
    # The one of the step before; built again in case somebody is editing the pages at this moment.
    bundle = build_bundle(settings)
    return replace(
        _service("web", WEB_MODULE, APPLICATION), environment=web_environment(settings, bundle), folder=bundle
    )


def _service(name: str, module: str, *arguments: str) -> Service:
    return Service(name, (sys.executable, "-m", "structforge.embedded.service", module, *arguments))


def _wait_until_ready(supervisor: Supervisor, names: list[str]) -> None:
    settings = supervisor.settings
    deadline = time.monotonic() + READY_TIMEOUT_S
    answer: str | None = "no answer yet"
    while answer is not None or not all(supervisor.service_running(name) for name in names):
        # One that keeps dying before it was ever ready will not get well by waiting.
        hopeless = [name for name in names if supervisor.service_restarts(name) >= START_ATTEMPTS]
        if hopeless or time.monotonic() > deadline:
            down = hopeless or [name for name in names if not supervisor.service_running(name)] or ["web"]
            raise _not_healthy(settings, down[0], answer)
        supervisor.tend(0.05)
        answer = web_answers(settings.local_url)


def _not_healthy(settings: Settings, name: str, answer: str | None) -> UnavailableError:
    log_file = settings.logs_dir / f"{name}.log"
    said = f" (web: {answer})" if answer and name == "web" else ""
    return UnavailableError(
        Problem(
            "up.not_healthy",
            sentence(
                "{name} did not become ready{said}. The end of its log:\n{log_file}",
                name=name,
                said=said,
                log_file=tail(log_file, 1200),
            ),
            where=str(log_file),
            hint=sentence(
                "The whole log is {log_file}; `structforge doctor` looks for the usual causes.",
                log_file=log_file,
            ),
        )
    )


def _run_starter(supervisor: Supervisor) -> str:
    _run_setup(supervisor, ["run-starter"], lambda line: supervisor.reporter.emit(json.loads(line)))
    (supervisor.settings.run_dir / STARTER_MARK).touch()
    return ""


def _run_setup(supervisor: Supervisor, arguments: list[str], on_line: Callable[[str], None]) -> None:
    problem: Problem | None = None

    def take(line: str) -> None:
        nonlocal problem
        event = json.loads(line)
        if event["event"] == "failed":
            problem = Problem.from_json(event["problem"])
        else:
            on_line(line)

    code = supervisor.run_to_end([sys.executable, "-m", "structforge.embedded.setup", *arguments], take)
    if code != 0:
        log_file = supervisor.settings.logs_dir / "setup.log"
        raise UnavailableError(
            problem
            or Problem(
                "up.setup_failed",
                sentence(
                    "Set-up ({arguments}) ended with code {code}: {log_file}",
                    arguments=arguments[0],
                    code=code,
                    log_file=tail(log_file, 1500),
                ),
                where=str(log_file),
                hint="`structforge doctor` looks for the usual causes.",
            )
        )


def _worker_names(count: int) -> list[str]:
    return ["worker"] if count == 1 else [f"worker-{number}" for number in range(1, count + 1)]
