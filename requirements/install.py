"""Put the packages of a lock file into a virtual environment, on any Python >= 3.11 with nothing installed.

    python3 requirements/install.py VENV run|dev

Invariant: only what the lock names, checked by hash, is installed, from the index that the user's own pip or
uv configuration names. uv (itself pinned by hash) does the work because it is some ten times faster than pip;
where it cannot run or cannot read the index, pip does it. A second call with an unchanged lock does nothing.
"""

import fcntl
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent


def main() -> int:
    """Install, and say what is missing on the machine when that is not possible."""
    if len(sys.argv) != 3 or sys.argv[2] not in ("run", "dev"):
        print(__doc__)
        return 2
    if sys.version_info < (3, 11):  # noqa: UP036 - whoever reads this has an old one
        print(
            f"StructForge needs Python 3.11 or newer, and this is {sys.version.split()[0]}.\n"
            "Install a newer one, or name it: make up PYTHON=/path/to/python3.12",
            file=sys.stderr,
        )
        return 1
    venv, lock = Path(sys.argv[1]).resolve(), sys.argv[2]
    venv.parent.mkdir(parents=True, exist_ok=True)
    with (venv.parent / f".{venv.name.lstrip('.')}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        return install(venv, lock)


def install(venv: Path, lock: str) -> int:
    """Bring the environment to the state of the lock file."""
    python = venv / "bin" / "python"
    stamp_file = venv / "structforge-installed.json"
    wanted = {name: _digest(name) for name in ("run", "dev")}
    have = _read(stamp_file)
    # The development lock contains the other one.
    if python.exists() and (have.get(lock) == wanted[lock] or have.get("dev") == wanted["dev"]):
        return 0

    if not python.exists():
        print("Creating the virtual environment ...", flush=True)
        made = subprocess.run([sys.executable, "-m", "venv", str(venv)], capture_output=True, text=True)
        if made.returncode != 0:
            print(made.stdout + made.stderr, file=sys.stderr)
            print(
                "Python could not create a virtual environment. On Debian and Ubuntu: "
                "apt-get install python3-venv",
                file=sys.stderr,
            )
            return 1

    print(f"Installing the packages of requirements/{lock}.lock ...", flush=True)
    lock_file = str(HERE / f"{lock}.lock")
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if not _install_with_uv(python, pip, lock_file):
        code = subprocess.run([*pip, "--require-hashes", "-r", lock_file]).returncode
        if code != 0:
            print(
                "The packages could not be installed. Is the package index reachable? pip's own "
                "configuration (pip config list) is used as it is.",
                file=sys.stderr,
            )
            return code
    code = subprocess.run(
        [*pip, "--no-build-isolation", "--no-deps", "--no-index", "-e", str(ROOT)]
    ).returncode
    if code == 0:
        stamp_file.write_text(json.dumps({**have, lock: wanted[lock]}))
    return code


def _install_with_uv(python: Path, pip: list[str], lock_file: str) -> bool:
    uv = python.parent / "uv"
    if not uv.exists():
        got = subprocess.run([*pip, "--require-hashes", "-r", str(HERE / "uv.lock")], capture_output=True)
        if got.returncode != 0 or not uv.exists():
            return False
    command = [str(uv), "pip", "install", "--quiet", "--python", str(python), "--require-hashes"]
    ran = subprocess.run(
        [*command, "-r", lock_file], env=_uv_environment(python), capture_output=True, text=True
    )
    if ran.returncode != 0:
        print("uv could not install (pip takes over):", ran.stderr.strip()[:500], file=sys.stderr, flush=True)
    return ran.returncode == 0


def _uv_environment(python: Path) -> dict[str, str]:
    """Tell uv what pip is configured with: uv reads neither pip.conf nor PIP_* itself."""
    environment = dict(os.environ)
    own = ("UV_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX", "UV_CONFIG_FILE")
    if any(name in environment for name in own):
        return environment
    listed = subprocess.run([str(python), "-m", "pip", "config", "list"], capture_output=True, text=True)
    values: dict[str, str] = {}
    for line in listed.stdout.splitlines():
        key, _, value = line.partition("=")
        section, _, name = key.rpartition(".")
        # pip's own order: the environment wins over [install], and that over [global].
        rank = {"global": 0, "install": 1, ":env:": 2}.get(section)
        if rank is not None and (name not in values or rank > 0):
            values[name] = value.strip("'\"").replace("\\n", " ")
    names = {"index-url": "UV_DEFAULT_INDEX", "extra-index-url": "UV_INDEX", "find-links": "UV_FIND_LINKS"}
    for name, variable in names.items():
        if values.get(name):
            environment[variable] = " ".join(values[name].split())
    if values.get("no-index") in ("1", "true", "True", "yes"):
        environment["UV_NO_INDEX"] = "1"
    if values.get("cert"):
        environment.setdefault("SSL_CERT_FILE", values["cert"])
    if values.get("trusted-host"):
        environment["UV_INSECURE_HOST"] = " ".join(values["trusted-host"].split())
    # One index after the other, as pip has it: the hashes of the lock make that safe.
    environment["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    return environment


def _digest(lock: str) -> str:
    content = (HERE / f"{lock}.lock").read_bytes() + (ROOT / "pyproject.toml").read_bytes()
    return hashlib.sha256(content + sys.version.encode()).hexdigest()


def _read(stamp_file: Path) -> dict[str, str]:
    try:
        body = json.loads(stamp_file.read_text())
    except (OSError, ValueError):
        return {}
    return body if isinstance(body, dict) else {}


if __name__ == "__main__":
    sys.exit(main())
