"""The supervisor with real servers and processes: what each way to end leaves, and what is restarted."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from structforge.embedded.instance import InstanceState, read_state, running_state
from structforge.embedded.postgres import EmbeddedPostgres
from structforge.embedded.processes import ProcessIdentity
from structforge.embedded.redis import EmbeddedRedis
from structforge.embedded.system_user import Account, let_through
from tests.support.eventually import eventually_sync
from tests.support.processes import processes_of
from tests.support.programs import ROOT, Program

NOBODY = 65534
RUNNING = "StructForge is running"

Start = Callable[..., Program]


@pytest.fixture
def home(folder: Path) -> Iterator[Path]:
    place = folder / "home"
    yield place
    EmbeddedRedis(place / "redis", place / "sockets", place / "log").stop()
    EmbeddedPostgres(place / "postgres", place / "sockets", place / "log").stop()


@pytest.fixture
def start(home: Path, folder: Path) -> Iterator[Start]:
    started: list[Program] = []

    def begin(user: int | None = None) -> Program:
        environment = {"STRUCTFORGE_HOME": str(home), "STRUCTFORGE_STOP_GRACE_S": "1"}
        program = Program(
            ["-m", "tests.support.supervised"], folder / "out", environment=environment, user=user
        )
        started.append(program)
        return program

    yield begin
    for program in started:
        program.clean_up()


def names(processes: list[psutil.Process]) -> list[str]:
    return sorted(process.name() for process in processes)


def service(home: Path, name: str) -> ProcessIdentity:
    state = read_state(home / "run")
    assert state is not None
    return ProcessIdentity(state.services[name].pid, state.services[name].started_at)


def orphan_there(home: Path) -> bool:
    return any(p.cmdline()[:2] == ["sleep", "2000"] for p in processes_of(home))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_supervisor_leaves_nothing_behind(start: Start, home: Path, number: int) -> None:
    program = start()
    program.wait_for_output(RUNNING)
    eventually_sync(lambda: orphan_there(home))
    assert {"postgres", "redis-server", "sleep"} <= set(names(processes_of(home)))
    os.kill(program.pid, number)
    assert program.wait() == 0
    assert processes_of(home) == []
    assert running_state(home / "run") is None


def test_an_ordinary_user_can_run_everything(start: Start, home: Path) -> None:
    """Run as root, this is another user; run as an ordinary user, all the other tests say the same."""
    user = NOBODY if os.geteuid() == 0 else None
    if user is not None:
        account = Account(user, user, switch=True)
        for place in (ROOT, Path(sys.prefix), Path(sys.base_prefix), home.parent):
            let_through(place, account)
        home.mkdir()
        os.chown(home, user, user)
    program = start(user=user)
    program.wait_for_output(RUNNING)
    owners = {process.uids().effective for process in processes_of(home)}
    assert owners == {user if user is not None else os.geteuid()}
    assert program.terminate() == 0
    assert processes_of(home) == []


def test_a_stop_during_the_start_leaves_nothing_behind(start: Start, home: Path) -> None:
    program = start()
    eventually_sync(lambda: (home / "postgres").exists())
    program.terminate()
    assert RUNNING not in program.output
    assert processes_of(home) == []


def test_services_follow_a_killed_supervisor_and_servers_wait_for_the_next(start: Start, home: Path) -> None:
    program = start()
    program.wait_for_output(RUNNING)
    servers = {name: service(home, name) for name in ("postgres", "redis")}
    followers = [service(home, name) for name in ("parent", "deaf", "leaver")]
    program.kill()
    eventually_sync(lambda: not any(follower.alive() for follower in followers))
    assert all(server.alive() for server in servers.values())
    assert running_state(home / "run") is None

    successor = start()
    successor.wait_for_output(RUNNING)
    assert {name: service(home, name) for name in servers} == servers
    successor.terminate()
    assert not any(server.alive() for server in servers.values())


def test_a_service_that_dies_is_started_again_and_that_is_told(start: Start, home: Path) -> None:
    program = start()
    program.wait_for_output(RUNNING)
    first = service(home, "parent")
    first.signal(signal.SIGKILL)
    program.wait_for_output("parent ended (signal 9)")

    def again() -> InstanceState | None:
        state = read_state(home / "run")
        return (
            state
            if state and state.services["parent"].pid != first.pid and state.phase == "healthy"
            else None
        )

    state = eventually_sync(again)
    assert state is not None
    assert (state.services["parent"].restarts, state.services["parent"].last_exit) == (1, "signal 9")


@pytest.mark.parametrize("name", ["postgres", "redis"])
def test_a_server_that_dies_is_started_again(start: Start, home: Path, name: str) -> None:
    program = start()
    program.wait_for_output(RUNNING)
    first = service(home, name)
    first.signal(signal.SIGKILL)
    program.wait_for_output(f"{name} is gone")
    eventually_sync(lambda: service(home, name) != first and service(home, name).alive())
    program.terminate()
    assert processes_of(home) == []


def test_two_supervisors_on_one_home_folder_are_refused(start: Start, home: Path) -> None:
    first = start()
    first.wait_for_output(RUNNING)
    second = start()
    assert second.wait() != 0
    assert "already runs on" in second.output
    assert first.process.poll() is None
    assert service(home, "postgres").alive()
