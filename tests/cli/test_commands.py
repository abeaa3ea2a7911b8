"""The command line as a person or a script uses it: help, exit codes, problems on stderr, --json."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from structforge.cli import COMMANDS, app
from structforge.config import Settings
from tests.support.programs import ROOT, outer_environment


def run(*arguments: str, home: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "structforge.cli", *arguments],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        cwd=ROOT,
        env={**outer_environment(), "STRUCTFORGE_HOME": str(home), "COLUMNS": "200", **environment},
        timeout=120,
    )


def test_every_command_explains_itself() -> None:
    listed = CliRunner().invoke(app, ["--help"])
    assert listed.exit_code == 0
    assert [name for name in COMMANDS if name not in listed.output] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_a_commands_help_works_with_nothing_running(name: str) -> None:
    answer = CliRunner().invoke(app, [name, "--help"])
    assert answer.exit_code == 0
    assert "Usage:" in answer.output


def test_wrong_usage_is_exit_code_2(tmp_path: Path) -> None:
    assert run("no-such-command", home=tmp_path).returncode == 2
    assert run("up", "--no-such-option", home=tmp_path).returncode == 2


def test_a_bad_setting_is_one_sentence_and_exit_code_1(tmp_path: Path) -> None:
    answer = run("status", home=tmp_path, STRUCTFORGE_PORT="99999")
    assert answer.returncode == 1
    assert "STRUCTFORGE_PORT" in answer.stderr
    assert "settings.invalid" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_status_and_down_with_nothing_running(tmp_path: Path) -> None:
    status = run("status", "--json", home=tmp_path)
    assert (status.returncode, json.loads(status.stdout)["running"]) == (1, False)
    down = run("down", "--json", home=tmp_path)
    assert (down.returncode, json.loads(down.stdout)) == (0, {"stopped": []})


def test_a_home_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    answer = run("up", home=tmp_path / "file" / "home")
    assert answer.returncode == 1
    assert "home.not_writable" in answer.stderr


def test_keys_generate_prints_a_key(tmp_path: Path) -> None:
    first, second = (run("keys", "generate", home=tmp_path).stdout for _ in range(2))
    assert first != second
    assert first.count(":") == 1


def test_the_page_of_commands_names_each_one() -> None:
    page = (ROOT / "docs" / "cli.md").read_text()
    assert [name for name in COMMANDS if f"`structforge {name}" not in page] == []


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.json")), ids=lambda path: path.name)
def test_the_starter_workflows_are_valid(path: Path, tmp_path: Path) -> None:
    answer = CliRunner().invoke(
        app, ["validate", str(path), "--json"], env={"STRUCTFORGE_HOME": str(tmp_path)}
    )
    assert json.loads(answer.stdout) == {"file": str(path), "valid": True, "problems": [], "unchecked": []}
    assert answer.exit_code == 0


def test_it_says_which_connections_it_could_not_look_for(tmp_path: Path) -> None:
    nodes = [
        {
            "id": "read",
            "type": "database.query",
            "parameters": {"connection": "sales", "statement": "SELECT 1"},
        }
    ]
    file = tmp_path / "flow.json"
    file.write_text(json.dumps({"nodes": nodes}))
    home = {"STRUCTFORGE_HOME": str(tmp_path)}
    told = json.loads(CliRunner().invoke(app, ["validate", str(file), "--json"], env=home).stdout)
    assert told["unchecked"] == [{"where": "nodes.read.parameters.connection", "connection": "sales"}]
    assert "are there (sales)" in CliRunner().invoke(app, ["validate", str(file)], env=home).stdout


BAD_FILES = [
    pytest.param(b"", ["value.syntax"], id="empty"),
    pytest.param(b"[1]", ["file.not_an_object"], id="no object"),
    pytest.param(b"\xff\xfe{}", None, id="not UTF-8"),
    pytest.param(b'{"nodes": [{"id": "a", "type": "none"}]}', ["node.unknown_type"], id="unknown type"),
    pytest.param(b'{"nodes": [], "more": 1}', ["document.unknown_field"], id="unknown field"),
    pytest.param(b'{"nodes": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", None, id="depth 100,000"),
    pytest.param(b'{"nodes": NaN}', None, id="NaN"),
]


@pytest.mark.parametrize(("content", "codes"), BAD_FILES)
def test_a_bad_workflow_file_gets_every_problem(
    content: bytes, codes: list[str] | None, tmp_path: Path
) -> None:
    file = tmp_path / "flow.json"
    file.write_bytes(content)
    answer = CliRunner().invoke(
        app, ["validate", str(file), "--json"], env={"STRUCTFORGE_HOME": str(tmp_path)}
    )
    body = json.loads(answer.stdout)
    assert (answer.exit_code, body["valid"]) == (1, False)
    found = [problem["code"] for problem in body["problems"]]
    assert found
    assert codes is None or found == codes
    assert all(problem["message"] for problem in body["problems"])


def test_a_missing_workflow_file_is_told(tmp_path: Path) -> None:
    answer = run("validate", str(tmp_path / "none.json"), home=tmp_path)
    assert answer.returncode == 1
    assert "file.unreadable" in answer.stderr


def test_running_a_file_with_nothing_running_is_told(tmp_path: Path) -> None:
    answer = run("run", str(ROOT / "examples" / "quick_start.json"), home=tmp_path)
    assert answer.returncode == 1
    assert "instance.not_running" in answer.stderr


def test_db_without_a_server_names_the_problem(tmp_path: Path) -> None:
    answer = run("db", "show", home=tmp_path)
    assert answer.returncode == 1
    assert "database.unreachable" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_db_goes_up_and_down_and_up(empty_settings: Settings, tmp_path: Path) -> None:
    url = empty_settings.database_owner_url
    assert run("db", "show", home=tmp_path, DATABASE_URL=url).returncode == 1
    for arguments in (["upgrade"], ["downgrade", "base", "--yes"], ["upgrade"]):
        answer = run("db", *arguments, home=tmp_path, DATABASE_URL=url)
        assert answer.returncode == 0, answer.stderr
    shown = run("db", "show", "--json", home=tmp_path, DATABASE_URL=url)
    assert (shown.returncode, json.loads(shown.stdout)["pending"]) == (0, [])
    refused = run("db", "downgrade", "base", home=tmp_path, DATABASE_URL=url)
    assert refused.returncode == 1


def findings(home: Path, settings: Settings) -> dict[str, dict[str, str]]:
    answer = run(
        "doctor",
        "--json",
        home=home,
        DATABASE_URL=settings.database_owner_url,
        REDIS_URL=settings.redis_server_url,
    )
    return {finding["name"]: finding for finding in json.loads(answer.stdout)}


def test_the_doctor_finds_a_migrated_database_well(settings: Settings, tmp_path: Path) -> None:
    found = findings(tmp_path, settings)
    assert {
        found[name]["verdict"] for name in ("python", "home", "disk", "roles", "migrations", "redis")
    } == {"ok"}
    # The test server runs without fsync, which the doctor must notice.
    assert found["postgres"]["verdict"] == "warning"
    assert "fsync" in found["postgres"]["text"]


def test_the_doctor_names_what_is_wrong_and_what_to_do(empty_settings: Settings, tmp_path: Path) -> None:
    found = findings(tmp_path, empty_settings)
    assert found["migrations"]["verdict"] == "wrong"
    assert "structforge db upgrade" in found["migrations"]["hint"]


def test_the_doctor_tells_of_servers_that_do_not_answer(tmp_path: Path) -> None:
    answer = run(
        "doctor",
        home=tmp_path,
        DATABASE_URL="postgresql://nobody@127.0.0.1:1/none",
        REDIS_URL="redis://127.0.0.1:1",
    )
    assert answer.returncode == 1
    assert "Traceback" not in answer.stderr
    assert answer.stdout.count("✗") >= 3
