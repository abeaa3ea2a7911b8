"""`structforge web | worker | scheduler`: one process of that kind, as many of each and wherever one likes.

Invariant: the same entry module that the supervisor starts. Entry points.
"""

import os
import sys

import typer

from structforge.config import child_environment
from structforge.embedded.startup import ENTRY_MODULES

web = typer.Typer()
worker = typer.Typer()
scheduler = typer.Typer()


@web.command()
def run_web() -> None:
    """Run one web process (API and web app) until it is asked to stop."""
    _become("web")


@worker.command()
def run_worker() -> None:
    """Run one worker process until it is asked to stop."""
    _become("worker")


@scheduler.command()
def run_scheduler() -> None:
    """Run one scheduler process until it is asked to stop."""
    _become("scheduler")


def _become(kind: str) -> None:
    os.execve(sys.executable, [sys.executable, "-m", ENTRY_MODULES[kind]], child_environment())
