"""A Chromium for the browser tests, found or installed (`python -m tests.support.chromium`)."""

import glob
import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
REMEDY = (
    "The browser tests need Chromium, and none was found or could be installed.\n"
    "Install one (Debian, Ubuntu: apt-get install chromium; or: .venv/bin/playwright install chromium),\n"
    "or name one: STRUCTFORGE_TEST_CHROMIUM=/path/to/chromium make test"
)


def find_chromium() -> Path | None:
    """Return a Chromium of this machine, Playwright's own downloads included."""
    named = os.environ.get("STRUCTFORGE_TEST_CHROMIUM")
    if named:
        return Path(named) if os.access(named, os.X_OK) else None
    for name in NAMES:
        found = shutil.which(name)
        if found:
            return Path(found)
    cache = os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or os.path.expanduser("~/.cache/ms-playwright")
    for pattern in ("chromium-*/chrome-linux*/chrome", "chromium-*/chrome-mac*/*.app/Contents/MacOS/*"):
        for candidate in sorted(glob.glob(os.path.join(cache, pattern)), reverse=True):
            if os.access(candidate, os.X_OK):
                return Path(candidate)
    return None


def main() -> int:
    """Make sure there is one, by Playwright's download or, as root, by the system's packages."""
    attempts = [[sys.executable, "-m", "playwright", "install", "chromium"]]
    if os.geteuid() == 0 and shutil.which("apt-get"):
        attempts += [["apt-get", "update", "-q"], ["apt-get", "install", "-y", "-q", "chromium"]]
    for attempt in attempts:
        if find_chromium() is not None:
            break
        sys.stdout.write(f"No Chromium found: {' '.join(attempt[-3:])} ...\n")
        sys.stdout.flush()
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(attempt, env=environment, capture_output=True, timeout=900, check=False)
    if find_chromium() is None:
        sys.stderr.write(REMEDY + "\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
