"""The order of the rows: which run side by side, how long each may take, and what becomes of their homes.

Invariant: a row that breaks, hangs or is killed is a failed row; the next one runs. No process is left behind.
"""

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from structforge.chaos.client import EMAIL, PASSWORD, ChaosError
from structforge.chaos.rows import ROWS
from structforge.chaos.services import end_all_of
from structforge.chaos.verdict import Verdict
from structforge.config import Settings, child_environment
from structforge.embedded.postgres import tail
from structforge.embedded.processes import start_process

TIMETABLE: tuple[tuple[str, ...], ...] = (
    ("R13", "R12"),
    ("R6", "R8", "R3"),
    ("R1",),
    ("R4", "R2"),
    ("R9", "R11"),
    ("R5", "R7"),
    ("R10",),
    ("R14",),
)
"""Rows of one line run side by side: beside one that mostly waits there is room for another."""

ROW_LIMIT_S = 600.0
PREPARE_LIMIT_S = 300.0
POLL_S = 0.1
NEEDS = {"R4": "hypothesis"}
"""What a row needs beyond a plain installation: it comes with `make chaos`."""

Told = Callable[[str], None]


@dataclass(slots=True)
class _Playing:
    name: str
    home: Path
    process: "subprocess.Popen[bytes]"
    deadline: float


class Campaign:
    """All wanted rows, one line of the timetable after the other."""

    def __init__(self, settings: Settings, wanted: Sequence[str], *, short: bool, keep: bool) -> None:
        self._settings = settings
        self._wanted = wanted
        self._short = short
        self._keep = keep
        settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        # On the file system of the installation: a commit costs there what it costs its users.
        self.folder = Path(tempfile.mkdtemp(prefix="chaos-", dir=settings.home))
        self._lifeline = os.pipe()

    def run(self, told: Callable[[Verdict], None], progress: Told) -> list[Verdict]:
        """Run the rows, telling each verdict as it comes; return them in the order of the rows."""
        verdicts: list[Verdict] = []
        try:
            progress("an installation is prepared")
            self._prepare()
            for line in TIMETABLE:
                names = [name for name in line if name in self._wanted]
                if names:
                    progress(", ".join(names))
                    for verdict in self._play(names):
                        verdicts.append(verdict)
                        told(verdict)
        finally:
            self._end()
        return sorted(verdicts, key=lambda verdict: list(ROWS).index(verdict.row))

    def _prepare(self) -> None:
        template = self.folder / "template"
        template.mkdir()
        self._settings.bundle_dir.mkdir(parents=True, exist_ok=True)
        # The bundle is shared with the installation's own, so that it is built once.
        (template / "web").symlink_to(self._settings.bundle_dir)
        process = self._start("prepare", template, template, ())
        try:
            code = process.wait(PREPARE_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        if code != 0:
            log = tail(self.folder / "prepare.log", 2_000)
            raise ChaosError(f"the installation could not be prepared: {log}")

    def _play(self, names: Sequence[str]) -> list[Verdict]:
        playing = []
        verdicts = []
        for name in names:
            need = NEEDS.get(name)
            if need is not None and importlib.util.find_spec(need) is None:
                missing = Verdict(name, ROWS[name].title)
                missing.check(False, f"needs the package {need}: `make chaos` installs it")
                verdicts.append(missing)
                continue
            home = self.folder / name.lower()
            home.mkdir()
            arguments = (str(self.folder / "template"), *(("--short",) if self._short else ()))
            process = self._start(name, home, home, arguments)
            playing.append(_Playing(name, home, process, time.monotonic() + ROW_LIMIT_S))
        while playing:
            time.sleep(POLL_S)
            for row in list(playing):
                late = time.monotonic() > row.deadline
                if row.process.poll() is None and not late:
                    continue
                playing.remove(row)
                verdicts.append(self._take(row, late=late))
        return verdicts

    def _take(self, row: _Playing, *, late: bool) -> Verdict:
        if row.process.poll() is None:
            row.process.kill()
            row.process.wait()
        end_all_of(row.home)
        try:
            verdict = Verdict.load(row.home / "verdict.json")
        except (OSError, ValueError):
            verdict = Verdict(row.name, ROWS[row.name].title)
            what = f"had to be ended after {ROW_LIMIT_S:.0f} s" if late else "broke"
            verdict.check(False, f"{what}: {tail(self.folder / f'{row.name}.log', 1_000)}")
        if not self._keep or verdict.passed:
            shutil.rmtree(row.home, ignore_errors=True)
        return verdict

    def _start(
        self, name: str, home: Path, where: Path, arguments: Sequence[str]
    ) -> "subprocess.Popen[bytes]":
        ours = ("STRUCTFORGE_", "DATABASE_", "REDIS_", "REFLEX_", "__REFLEX_")
        environment = {key: value for key, value in child_environment().items() if not key.startswith(ours)}
        environment |= {
            "STRUCTFORGE_HOME": str(home),
            "STRUCTFORGE_PORT": str(_free_port()),
            "STRUCTFORGE_ADMIN_EMAIL": EMAIL,
            "STRUCTFORGE_ADMIN_PASSWORD": PASSWORD,
        }
        return start_process(
            [sys.executable, "-m", "structforge.chaos.row", name, *arguments],
            log_file=self.folder / f"{name}.log",
            environment=environment,
            folder=where,
            lifeline_fd=self._lifeline[0],
        )

    def _end(self) -> None:
        for home in self.folder.iterdir():
            if home.is_dir():
                end_all_of(home)
        for descriptor in self._lifeline:
            os.close(descriptor)
        if self._keep:
            return
        shutil.rmtree(self.folder, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
