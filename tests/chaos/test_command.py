"""`structforge chaos` as others run it: short rows with real processes, one of which is killed half-way."""

import json
import os
import signal
from pathlib import Path

import psutil
import pytest

from structforge.chaos.rows import ROWS
from tests.support.eventually import eventually_sync
from tests.support.processes import processes_of
from tests.support.programs import ROOT, Program


def row_processes(name: str, home: Path) -> list[psutil.Process]:
    return [found for found in processes_of(home / name.lower()) if name in found.cmdline()]


@pytest.mark.slow
def test_rows_pass_and_one_that_breaks_is_told_and_does_not_stop_the_others(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    # Bundles are shared with the checkout's own, so that one is built once.
    shared = ROOT / ".structforge" / "web"
    shared.mkdir(parents=True, exist_ok=True)
    (home / "web").symlink_to(shared)
    verdicts = tmp_path / "verdicts.json"
    command = ["-m", "structforge.cli", "chaos", "--short", "--only", "R6,R7", "--json", str(verdicts)]
    program = Program(command, tmp_path / "out", environment={"STRUCTFORGE_HOME": str(home)})
    try:

        def ground() -> Path:
            folders = list(home.glob("chaos-*"))
            assert len(folders) == 1
            assert row_processes("R6", folders[0])
            return folders[0]

        folder = eventually_sync(ground, timeout_s=240)
        [broken] = row_processes("R6", folder)
        os.kill(broken.pid, signal.SIGKILL)
        assert program.wait(timeout_s=240) == 1, program.output
    finally:
        program.clean_up()
    told = {row["row"]: row for row in json.loads(verdicts.read_text())["rows"]}
    assert {name: row["passed"] for name, row in told.items()} == {"R6": False, "R7": True}, told
    assert told["R6"]["failures"][0].startswith("broke")
    assert told["R7"]["done"]["stops"] > 0
    assert list(home.glob("chaos-*")) == []
    assert processes_of(home) == []


def test_the_documentation_has_every_row() -> None:
    text = (ROOT / "docs" / "chaos.md").read_text()
    missing = [name for name, row in ROWS.items() if f"| {name} |" not in text or row.module not in text]
    assert missing == []


def test_an_unknown_row_is_refused(tmp_path: Path) -> None:
    environment = {"STRUCTFORGE_HOME": str(tmp_path / "home")}
    program = Program(["-m", "structforge.cli", "chaos", "--only", "R99"], tmp_path, environment=environment)
    assert program.wait() == 2
    assert "R99" in program.output
    assert not (tmp_path / "home").exists()
