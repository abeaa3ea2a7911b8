"""The files that other systems read: Compose, CI, lock files, Makefile."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from structforge.cli import COMMANDS
from structforge.config import describe_settings
from tests.support.programs import ROOT

# Spelt apart, so that this file is not what the test finds.
REGISTRY_HOSTS = [
    f"{name}.{domain}"
    for name, domain in (("py" + "pi", "org"), ("python" + "hosted", "org"), ("npm" + "js", "org"))
]


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    body = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    assert isinstance(body, dict)
    return body


def test_compose_has_every_process_kind_and_real_servers(compose: dict[str, Any]) -> None:
    assert set(compose["services"]) == {"postgres", "redis", "migrate", "web", "worker", "scheduler"}


def test_compose_runs_commands_that_exist(compose: dict[str, Any]) -> None:
    commands = [s.get("command", [""]) for s in compose["services"].values()]
    commands = [command for command in commands if command[0] == "structforge"]
    assert len(commands) == 4
    assert {command[1] for command in commands} <= set(COMMANDS)


def test_compose_sets_variables_that_exist(compose: dict[str, Any]) -> None:
    known = {row.variable for row in describe_settings()}
    for name in ("migrate", "web", "worker", "scheduler"):
        assert set(compose["services"][name]["environment"]) <= known


def test_compose_starts_services_after_the_migration(compose: dict[str, Any]) -> None:
    for name in ("web", "worker", "scheduler"):
        conditions = {k: v["condition"] for k, v in compose["services"][name]["depends_on"].items()}
        assert conditions == {"migrate": "service_completed_successfully", "redis": "service_healthy"}


def test_compose_keeps_what_must_be_kept(compose: dict[str, Any]) -> None:
    named = {
        volume.partition(":")[0] for s in compose["services"].values() for volume in s.get("volumes", [])
    }
    assert named == set(compose["volumes"])


def test_compose_builds_from_a_dockerfile_that_exists(compose: dict[str, Any]) -> None:
    build = compose["services"]["web"]["build"]
    dockerfile = (ROOT / build["context"] / build["dockerfile"]).read_text()
    copied = re.findall(r"^COPY (?!--)(.+)$", dockerfile, re.MULTILINE)
    sources = [source for line in copied for source in line.split()[:-1]]
    assert [source for source in sources if not (ROOT / source).exists()] == []


@pytest.mark.parametrize("path", [".github/workflows/test.yml", ".gitlab-ci.yml"])
def test_each_ci_calls_the_one_command(path: str) -> None:
    text = (ROOT / path).read_text()
    assert isinstance(yaml.safe_load(text), dict)
    assert "bash .ci/run" in text
    assert "make test" in (ROOT / ".ci" / "run").read_text()


@pytest.mark.parametrize("name", ["run", "dev", "uv"])
def test_every_locked_package_is_pinned_with_hashes(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.lock").read_text()
    entries = re.split(r"\n(?=\S)", text.replace("\\\n", "").strip())
    assert entries
    assert [
        entry for entry in entries if not re.match(r"[\w.-]+==\S+.*--hash=sha256:[0-9a-f]{64}", entry)
    ] == []


def test_no_tracked_file_names_a_registry() -> None:
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    named = []
    for path in filter(None, tracked.decode().split("\0")):
        file = ROOT / path
        if file.is_file() and any(host.encode() in file.read_bytes() for host in REGISTRY_HOSTS):
            named.append(path)
    assert named == []


def test_the_runtime_lock_is_part_of_the_development_lock() -> None:
    def pins(name: str) -> set[str]:
        return set(
            re.findall(r"^\S+==\S+", (ROOT / "requirements" / f"{name}.lock").read_text(), re.MULTILINE)
        )

    assert pins("run") - pins("dev") == set()


def test_make_has_the_targets_that_the_readme_names() -> None:
    makefile = (ROOT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert phony is not None
    named = set(re.findall(r"\bmake ([a-z]+)", Path(ROOT / "README.md").read_text()))
    assert {"up", "test"} <= named <= set(phony[1].split())
