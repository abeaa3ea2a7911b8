"""`structforge up` with everything real: first start, later starts, each way to end, offline throughout.

The start-up is the slowest thing there is, so the tests share one home folder; each leaves it stopped.
"""

import json
import re
import shutil
import signal
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from structforge.config import load_settings
from structforge.embedded.instance import InstanceState, running_state
from structforge.ui.bundle import build_bundle
from tests.support.eventually import eventually_sync
from tests.support.ports import free_port
from tests.support.processes import processes_of
from tests.support.programs import ROOT, Program

RUNNING = "StructForge is running"
EMAIL = "admin@structforge.local"
OFFLINE = ROOT / "tests" / "support" / "offline"


@dataclass(frozen=True)
class Home:
    """A home folder, and how to call the command line on it."""

    folder: Path
    port: int

    def call(self, *arguments: str) -> Program:
        return Program(
            ["-m", "structforge.cli", *arguments],
            self.folder.parent / "out",
            environment={
                "STRUCTFORGE_HOME": str(self.folder),
                "STRUCTFORGE_PORT": str(self.port),
                "PYTHONPATH": str(OFFLINE),
                "OFFLINE_ATTEMPTS": str(self.attempts),
            },
        )

    @property
    def attempts(self) -> Path:
        return self.folder.parent / "attempts"

    @property
    def state(self) -> InstanceState:
        found = running_state(self.folder / "run")
        assert found is not None
        return found

    def run(self, *arguments: str) -> str:
        program = self.call(*arguments)
        assert program.wait(timeout_s=240) == 0, program.output
        return program.output


@pytest.fixture(scope="module")
def make_home() -> Iterator[Callable[[int], Home]]:
    made: list[Home] = []

    def make(port: int) -> Home:
        home = Home(Path(tempfile.mkdtemp(prefix="structforge-test-")) / "home", port)
        home.folder.mkdir()
        # Bundles are shared with the checkout's own, so that one is built once; building is another test's matter.
        shared = load_settings(home=ROOT / ".structforge").bundle_dir
        shared.mkdir(parents=True, exist_ok=True)
        (home.folder / "web").symlink_to(shared)
        build_bundle(load_settings(home=home.folder))
        made.append(home)
        return home

    yield make
    for home in made:
        home.call("down").wait(timeout_s=120)
        for process in processes_of(home.folder):
            process.kill()
        shutil.rmtree(home.folder.parent, ignore_errors=True)


@dataclass(frozen=True)
class Installed:
    """A home folder after its first start."""

    home: Home
    output: str
    password: str


@pytest.fixture(scope="module")
def installed(make_home: Callable[[int], Home]) -> Installed:
    home = make_home(free_port())
    program = home.call("up")
    output = program.wait_for_output(RUNNING, timeout_s=240)
    assert program.terminate() == 0
    assert processes_of(home.folder) == []
    shown = re.search(r"password +(\S+)", output)
    assert shown is not None, output
    return Installed(home, output, shown[1])


@pytest.fixture
def home(installed: Installed) -> Iterator[Home]:
    """The home folder after its first start; stopped before and after the test."""
    yield installed.home
    installed.home.run("down")
    assert processes_of(installed.home.folder) == []


@contextmanager
def sign_in(home: Home, password: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=home.state.url, timeout=30) as client:
        answer = client.post("/api/v1/auth/sign-in", json={"email": EMAIL, "password": password})
        assert answer.status_code == 200, answer.text
        client.headers["authorization"] = f"Bearer {answer.json()['access_token']}"
        yield client


def runs(client: httpx.Client) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = client.get("/api/v1/runs").json()["items"]
    return items


def test_the_first_start_runs_a_starter_workflow_and_prints_its_report(installed: Installed) -> None:
    assert "Seattle weather: succeeded" in installed.output
    assert "The hottest days" in installed.output
    assert f"http://127.0.0.1:{installed.home.port}" in installed.output


def test_the_password_is_written_nowhere(installed: Installed) -> None:
    secret = installed.password.encode()
    logs = [path for path in (installed.home.folder / "logs").iterdir() if secret in path.read_bytes()]
    assert logs == []


def test_a_detached_start_keeps_all_data_and_down_stops_it(installed: Installed, home: Home) -> None:
    output = home.run("up", "--detach")
    assert RUNNING in output
    assert "password" not in output
    assert "Seattle weather: succeeded" not in output
    assert home.state.phase == "healthy"
    supervisor = home.state.pid
    assert home.state.url in home.run("up", "--detach")
    assert home.state.pid == supervisor
    with sign_in(home, installed.password) as client:
        assert [run["status"] for run in runs(client)] == ["succeeded"]
    assert "Stopped" in home.run("down")
    assert processes_of(home.folder) == []


def test_nothing_of_ours_outlives_a_killed_supervisor_but_the_servers(
    installed: Installed, home: Home
) -> None:
    home.run("up", "--detach")
    home.state.identity.signal(signal.SIGKILL)
    names = eventually_sync(lambda: survivors(home), timeout_s=30)
    assert names == {"postgres", "redis-server"}
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", home.port))
    assert "the running one" in home.run("up", "--detach")
    with sign_in(home, installed.password) as client:
        assert len(runs(client)) == 1


def survivors(home: Home) -> set[str] | None:
    """Return the names of what is left, once no Python process is."""
    names = set()
    for process in processes_of(home.folder):
        # It may end between the two looks.
        with suppress(psutil.NoSuchProcess):
            names.add(process.name())
    return None if any(name.startswith("python") for name in names) else names


def test_a_killed_web_process_and_worker_come_back(installed: Installed, home: Home) -> None:
    home.run("up", "--detach")
    before = home.state.services
    for name in ("web", "worker"):
        psutil.Process(before[name].pid).kill()

    def back() -> bool:
        now = home.state
        fresh = all(now.services[name].pid != before[name].pid for name in ("web", "worker"))
        return fresh and now.phase == "healthy" and httpx.get(f"{now.url}/readyz").status_code == 200

    def answers() -> bool:
        try:
            return back()
        except httpx.TransportError:
            return False

    eventually_sync(answers, timeout_s=60)
    with sign_in(home, installed.password) as client:
        workflows = client.get("/api/v1/workflows", params={"search": "Seattle weather"}).json()["items"]
        started = client.post(f"/api/v1/workflows/{workflows[0]['id']}/runs", json={"mode": "sync"})
        assert started.json()["status"] == "succeeded", started.text


def test_a_workflow_file_runs_from_the_command_line(home: Home) -> None:
    home.run("up", "--detach")
    file = str(ROOT / "examples" / "quick_start.json")
    for name in ("you", "me"):
        body = json.loads(home.run("run", file, "--json", "--input", json.dumps({"name": name})))
        assert (body["status"], {step["status"] for step in body["steps"]}) == ("succeeded", {"succeeded"})
        assert f"HELLO {name.upper()}" in json.dumps(body["output"])
    missing = {**json.loads(Path(file).read_text())["workflow"], "nodes": [], "edges": []}
    failing = home.folder.parent / "failing.json"
    node = {"id": "read", "type": "file.read", "parameters": {"file": "no/such.csv"}}
    failing.write_text(json.dumps({**missing, "nodes": [{"id": "start", "type": "trigger.manual"}, node]}))
    failed = home.call("run", str(failing), "--json")
    assert failed.wait() == 1
    run = json.loads(failed.output)
    assert run["status"] == "failed"
    steer_runs(home, run["id"], body["id"])


def steer_runs(home: Home, failed: str, succeeded: str) -> None:
    listed = json.loads(home.run("runs", "list", "--status", "failed", "--json"))
    assert [item["id"] for item in listed["items"]] == [failed]
    assert failed in home.run("runs", "list") and succeeded in home.run("runs", "show", succeeded)
    retried = json.loads(home.run("runs", "retry", failed, "--json"))
    replayed = json.loads(home.run("runs", "replay", succeeded, "--json"))
    assert (retried["done"], replayed["done"], len(replayed["started"])) == (1, 1, 1)
    differs = home.call("runs", "compare", failed, succeeded)
    assert differs.wait() == 1 and "steps differ" in differs.output
    unnamed = home.call("runs", "stop")
    assert unnamed.wait() == 2 and "--all" in unnamed.output
    over = home.call("runs", "stop", succeeded)
    assert over.wait() == 1 and "0 done" in over.output
    assert json.loads(home.run("runs", "delete", failed, "--json"))["done"] == 1


def test_a_second_home_folder_moves_to_a_free_port_and_both_run(
    home: Home, make_home: Callable[[int], Home]
) -> None:
    first = home
    first.run("up", "--detach")
    second = make_home(first.port)
    output = second.run("up", "--detach", "--no-starter")
    assert f"Port {first.port} is taken" in output
    assert second.state.port != first.state.port
    assert [httpx.get(f"{home.state.url}/readyz").status_code for home in (first, second)] == [200, 200]
    refused = first.call("up")
    assert refused.wait() == 1
    assert "instance.already_running" in refused.output
    second.run("down")
    assert processes_of(second.folder) == []
    assert httpx.get(f"{first.state.url}/readyz").status_code == 200


def test_no_process_tried_to_leave_this_machine(installed: Installed) -> None:
    """After the tests above: every Python process they started ran with outbound connections refused."""
    assert not installed.home.attempts.exists(), installed.home.attempts.read_text()
