"""Finds what keeps an installation from working, and says what to do about each thing.

Invariant: it only looks: nothing is started, stopped or written. Imported by entry points.
"""

import asyncio
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, cast

import psycopg
import redis

from structforge.config import DatabaseRole, Settings
from structforge.domain.errors import StructForgeError
from structforge.embedded.instance import running_state
from structforge.embedded.postgres import binaries
from structforge.embedded.processes import ProcessIdentity
from structforge.embedded.redis import redis_program
from structforge.embedded.startup import port_is_free, web_answers
from structforge.storage import migrate
from structforge.storage.heartbeats import AliveProcess, alive
from structforge.ui.bundle import bundle_is_current

DISK_MIN_BYTES = 1024**3
POSTGRES_MIN_VERSION = 15
REDIS_MIN_VERSION = (6, 2)
PROCESS_KINDS = {
    "web": "Nobody can sign in, call the API or reach a webhook. Start one: `structforge web`.",
    "worker": "Accepted runs wait until there is one. Start one: `structforge worker`.",
    "scheduler": "Timers, retries and runs of dead workers wait. Start one: `structforge scheduler`.",
}
"""What has to be alive somewhere, and what its absence means."""


class Verdict(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    WRONG = "wrong"
    IDLE = "idle"
    """Nothing to check: that part is not running, and need not be."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check."""

    name: str
    verdict: Verdict
    text: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Patient:
    """What the checks look at."""

    settings: Settings
    up: bool
    """A supervisor holds the home folder."""


def examine(settings: Settings) -> list[Finding]:
    """Make every check; one that cannot be made is a finding too."""
    patient = Patient(settings, up=running_state(settings.run_dir) is not None)
    findings = []
    for name, check in CHECKS.items():
        try:
            verdict, text, hint = check(patient)
        except StructForgeError as error:
            verdict, text, hint = Verdict.WRONG, error.problem.message, error.problem.hint
        except (OSError, psycopg.Error, redis.RedisError) as error:
            verdict, text, hint = Verdict.WRONG, str(error).strip(), ""
        findings.append(Finding(name, verdict, text, hint))
    return findings


Outcome = tuple[Verdict, str, str]


def _python(patient: Patient) -> Outcome:
    found = ".".join(map(str, sys.version_info[:3]))
    # Not by type: this is the version that runs, whatever the one was that the code was checked for.
    if tuple(sys.version_info) < (3, 11):
        return Verdict.WRONG, f"Python {found} is too old.", "Use Python 3.11 or newer: make up PYTHON=…"
    return Verdict.OK, f"Python {found}", ""


def _home(patient: Patient) -> Outcome:
    home = patient.settings.home
    if not home.exists():
        return Verdict.IDLE, f"{home} does not exist yet.", "`make up` creates it."
    probe = home / "run"
    if not _writable(probe if probe.exists() else home):
        return Verdict.WRONG, f"{home} cannot be written.", "Set STRUCTFORGE_HOME to a folder you can write."
    return Verdict.OK, str(home), ""


def _disk(patient: Patient) -> Outcome:
    folder = _existing(patient.settings.home)
    free = shutil.disk_usage(folder).free
    text = f"{free / 1024**3:.1f} GiB free at {folder}"
    if free < DISK_MIN_BYTES:
        return Verdict.WRONG, text, "Free at least 1 GiB, or set STRUCTFORGE_HOME to a larger disk."
    return Verdict.OK, text, ""


def _programs(patient: Patient) -> Outcome:
    parts = []
    if patient.settings.embedded_postgres:
        parts.append(f"PostgreSQL in {binaries()}")
    if patient.settings.embedded_redis:
        parts.append(f"Redis in {redis_program().parent}")
    return (Verdict.OK, "; ".join(parts), "") if parts else (Verdict.IDLE, "Real servers are used.", "")


def _supervisor(patient: Patient) -> Outcome:
    state = running_state(patient.settings.run_dir)
    if state is None:
        return Verdict.IDLE, "Not running.", "Start it with `make up`."
    dead = [n for n, s in state.services.items() if not ProcessIdentity(s.pid, s.started_at).alive()]
    if dead:
        logs = patient.settings.logs_dir
        return Verdict.WRONG, f"{', '.join(dead)} is down.", f"It is started again; the reason is in {logs}."
    restless = [f"{name} ({s.restarts})" for name, s in state.services.items() if s.restarts]
    if restless:
        return Verdict.WARNING, f"Started again since: {', '.join(restless)}.", "Look into its log."
    return Verdict.OK, f"{state.phase}, process {state.pid}", ""


def _port(patient: Patient) -> Outcome:
    settings = patient.settings
    state = running_state(settings.run_dir)
    if state is not None:
        answer = web_answers(settings.model_copy(update={"port": state.port}).local_url)
        if answer is None:
            return Verdict.OK, state.url, ""
        log_file = settings.logs_dir / "web.log"
        return Verdict.WRONG, f"{state.url} is not ready: {answer}", f"Look into {log_file}."
    if port_is_free(settings.host, settings.port):
        return Verdict.OK, f"{settings.host}:{settings.port} is free.", ""
    return (
        Verdict.WARNING,
        f"{settings.host}:{settings.port} is taken by another program.",
        "`make up` will take the next free one; or set STRUCTFORGE_PORT.",
    )


def _postgres(patient: Patient) -> Outcome:
    if _asleep(patient, patient.settings.embedded_postgres):
        return Verdict.IDLE, "The embedded server is not running.", "`make up` starts it."
    with psycopg.connect(patient.settings.database_owner_url, connect_timeout=5) as connection:
        version = connection.info.server_version // 10_000
        if version < POSTGRES_MIN_VERSION:
            return Verdict.WRONG, f"PostgreSQL {version} is too old.", "Use PostgreSQL 15 or newer."
        rows = connection.execute(
            "select name, setting from pg_settings where name in ('fsync', 'synchronous_commit')"
        ).fetchall()
    unsafe = [name for name, value in rows if value == "off"]
    if unsafe:
        return (
            Verdict.WARNING,
            f"{', '.join(unsafe)} is off.",
            "A power cut may lose accepted runs: turn it on.",
        )
    return Verdict.OK, f"PostgreSQL {version} answers, commits are durable.", ""


def _roles(patient: Patient) -> Outcome:
    if _asleep(patient, patient.settings.embedded_postgres):
        return Verdict.IDLE, "", ""
    for role in (DatabaseRole.APP, DatabaseRole.ENGINE):
        try:
            with psycopg.connect(patient.settings.database_role_url(role), connect_timeout=5) as connection:
                row = connection.execute(
                    "select rolsuper or rolbypassrls from pg_roles where rolname = current_user"
                ).fetchone()
        except psycopg.OperationalError as error:
            return (
                Verdict.WRONG,
                f"Role {role.value} cannot connect: {str(error).strip()}",
                "`structforge db upgrade` creates the roles and sets their passwords.",
            )
        if row is None or row[0]:
            return (
                Verdict.WRONG,
                f"Role {role.value} passes row-level security by.",
                f"alter role {role.value} nosuperuser nobypassrls",
            )
    return Verdict.OK, "Both roles connect and are held by row-level security.", ""


def _migrations(patient: Patient) -> Outcome:
    if _asleep(patient, patient.settings.embedded_postgres):
        return Verdict.IDLE, "", ""
    pending = asyncio.run(migrate.pending(patient.settings.database_owner_url))
    if pending:
        return Verdict.WRONG, f"{len(pending)} migrations are pending.", "Run `structforge db upgrade`."
    return Verdict.OK, "The database is up to date.", ""


def _processes(patient: Patient) -> Outcome:
    if _asleep(patient, patient.settings.embedded_postgres):
        return Verdict.IDLE, "", ""
    with psycopg.connect(patient.settings.database_engine_role_url, connect_timeout=5) as connection:
        found = alive(connection)
    counts = Counter(process.kind for process in found)
    missing = [kind for kind in PROCESS_KINDS if not counts[kind]]
    if not found and not patient.up:
        return Verdict.IDLE, "No process of StructForge uses this database.", "`make up` starts them."
    if missing:
        hint = " ".join(PROCESS_KINDS[kind] for kind in missing)
        return Verdict.WRONG, f"Not one {' and no '.join(missing)} process is alive.", hint
    full = [process for process in found if _is_full(process)]
    text = ", ".join(f"{counts[kind]} {kind}" for kind in PROCESS_KINDS) + " alive"
    if len(full) == counts["worker"]:
        return (
            Verdict.WARNING,
            f"{text}; every worker has all the runs in hand that it takes.",
            "Start more workers, or set STRUCTFORGE_WORKER_SLOTS.",
        )
    return Verdict.OK, f"{text}.", ""


def _is_full(process: AliveProcess) -> bool:
    return process.kind == "worker" and process.details.get("runs", 0) >= process.details.get("slots", 1)


def _redis(patient: Patient) -> Outcome:
    if _asleep(patient, patient.settings.embedded_redis):
        return Verdict.IDLE, "The embedded server is not running.", "`make up` starts it."
    client = redis.Redis.from_url(patient.settings.redis_server_url, socket_timeout=5)
    with client:
        # redis-py types one call for its two kinds of client.
        facts = cast("dict[str, Any]", client.info())
    version = str(facts["redis_version"])
    if tuple(int(part) for part in version.split(".")[:2]) < REDIS_MIN_VERSION:
        return Verdict.WRONG, f"Redis {version} is too old.", "Use Redis 6.2 or newer, or Valkey."
    if not facts.get("aof_enabled"):
        return (
            Verdict.WARNING,
            f"Redis {version} keeps no append-only file.",
            "A restart of it delays queued runs until they are swept: set appendonly yes.",
        )
    return Verdict.OK, f"Redis {version} answers, its append-only file is on.", ""


def _bundle(patient: Patient) -> Outcome:
    if bundle_is_current(patient.settings):
        return Verdict.OK, "The built web app is of the present sources.", ""
    if patient.up:
        return Verdict.WARNING, "The sources of the web app changed since.", "Restart: make down, make up."
    return Verdict.IDLE, "The web app is not built.", "`make up` builds it."


def _asleep(patient: Patient, embedded: bool) -> bool:
    return embedded and not patient.up


def _existing(folder: Path) -> Path:
    while not folder.exists():
        folder = folder.parent
    return folder


def _writable(folder: Path) -> bool:
    probe = folder / f".doctor-{time.monotonic_ns()}"
    try:
        probe.touch()
        probe.unlink()
    except OSError:
        return False
    return True


CHECKS: dict[str, Callable[[Patient], Outcome]] = {
    "python": _python,
    "home": _home,
    "disk": _disk,
    "programs": _programs,
    "supervisor": _supervisor,
    "port": _port,
    "postgres": _postgres,
    "roles": _roles,
    "migrations": _migrations,
    "processes": _processes,
    "redis": _redis,
    "web app": _bundle,
}
"""In the order they are told; a name is what `structforge doctor --json` calls the check."""
