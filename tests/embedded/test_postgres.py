"""The embedded PostgreSQL: kept data, adoption, stale files, recycled process ids, who it runs as."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from structforge.embedded.postgres import EmbeddedPostgres
from structforge.embedded.system_user import EmbeddedServerError


@pytest.fixture
def postgres(folder: Path) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(folder / "postgres", folder / "s", folder / "logs" / "postgres.log")
    yield server
    server.stop()


def read_setting(server: EmbeddedPostgres, name: str) -> object:
    with psycopg.connect(server.url()) as connection:
        row = connection.execute("select current_setting(%s)", (name,)).fetchone()
    assert row is not None
    return row[0]


def test_data_is_kept_over_a_restart_and_writes_are_durable(postgres: EmbeddedPostgres) -> None:
    assert postgres.start() is False
    with psycopg.connect(postgres.url()) as connection:
        connection.execute("create table kept as select 7 as value")
    postgres.stop()
    assert postgres.running() is None
    assert postgres.start() is False
    with psycopg.connect(postgres.url()) as connection:
        assert connection.execute("select value from kept").fetchone() == (7,)
    settings = [
        "fsync",
        "synchronous_commit",
        "full_page_writes",
        "jit",
        "listen_addresses",
        "server_encoding",
    ]
    assert [read_setting(postgres, name) for name in settings] == ["on", "on", "on", "off", "", "UTF8"]


def test_a_running_server_is_taken_over_and_not_started_twice(postgres: EmbeddedPostgres) -> None:
    postgres.start()
    first = postgres.running()
    successor = EmbeddedPostgres(postgres.data_dir, postgres.socket_dir, postgres.log_file)
    assert successor.start() is True
    assert successor.running() == first
    successor.stop()
    assert postgres.running() is None


def test_a_killed_server_starts_again(postgres: EmbeddedPostgres) -> None:
    postgres.start()
    first = postgres.running()
    assert first is not None
    first.stop([(signal.SIGKILL, 10.0)])
    assert postgres.running() is None
    assert postgres.start() is False
    assert postgres.running() != first


def test_an_immediate_restart_loses_nothing_committed(postgres: EmbeddedPostgres) -> None:
    postgres.start()
    with psycopg.connect(postgres.url()) as connection:
        connection.execute("create table kept as select 7 as value")
    postgres.stop(immediately=True)
    postgres.start()
    with psycopg.connect(postgres.url()) as connection:
        assert connection.execute("select value from kept").fetchone() == (7,)


def test_a_process_id_in_use_by_another_program_is_neither_believed_nor_hit(
    postgres: EmbeddedPostgres,
) -> None:
    postgres.start()
    pid_file = postgres.data_dir / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    postgres.stop()
    bystander = subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE
    )
    try:
        pid_file.write_text("\n".join([str(bystander.pid), *lines[1:]]) + "\n")
        assert postgres.running() is None
        assert postgres.start() is False
        postgres.stop()
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.communicate()


def test_it_does_not_run_as_root_and_nobody_else_can_enter_its_folders(postgres: EmbeddedPostgres) -> None:
    postgres.start()
    found = postgres.running()
    assert found is not None
    process = psutil.Process(found.pid)
    assert process.uids().effective != 0
    for folder in (postgres.data_dir, postgres.socket_dir):
        status = os.stat(folder)
        assert (status.st_uid, status.st_mode & 0o777) == (process.uids().effective, 0o700)
    assert [c for c in process.net_connections("inet") if c.status == psutil.CONN_LISTEN] == []


def test_a_failure_to_start_quotes_the_log(folder: Path) -> None:
    server = EmbeddedPostgres(
        folder / "postgres", folder / "s", folder / "log", settings={"shared_buffers": "much"}
    )
    with pytest.raises(EmbeddedServerError, match="shared_buffers") as caught:
        server.start()
    assert caught.value.problem.code == "embedded.postgres_start"


def test_data_of_another_version_is_named_and_left_alone(postgres: EmbeddedPostgres) -> None:
    postgres.start()
    postgres.stop()
    (postgres.data_dir / "PG_VERSION").write_text("15\n")
    with pytest.raises(EmbeddedServerError, match="PostgreSQL 15") as caught:
        postgres.start()
    assert caught.value.problem.code == "embedded.postgres_version"
    (postgres.data_dir / "PG_VERSION").write_text("18\n")
