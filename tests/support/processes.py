"""Which processes belong to a home folder."""

from pathlib import Path

import psutil


def processes_of(home: Path) -> list[psutil.Process]:
    """Every process that the home folder's supervisor started, orphans included, and the supervisor itself.

    Told by the environment it gave them, or by the folder they work in (Redis overwrites its environment).
    """
    mark = f"STRUCTFORGE_HOME={home}".encode()
    found = []
    for process in psutil.process_iter():
        try:
            inside = Path(process.cwd()).is_relative_to(home)
            if process.status() == psutil.STATUS_ZOMBIE:
                continue
            if inside or mark in Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0"):
                found.append(process)
        except (OSError, psutil.Error):
            continue
    return found
