"""`python -m bench [--only W40 …]`: measure, print a table, write `bench/latest.json`.

With `--only`, figures that were not measured are missing from the file and the former ones are gone: a file holds
figures of one run, never of two.
"""

import signal
import sys
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bench import report
from bench.measures import (
    Result,
    csv,
    fan,
    hook,
    idle_start,
    look,
    loop,
    queue,
    replay,
    resume,
    start,
    table,
    w40,
    webhook,
)
from bench.stack import Api, BenchError, Stack
from bench.wrk import find_wrk
from structforge.domain.errors import StructForgeError


class Part(StrEnum):
    """What can be measured alone."""

    START = "START"
    W40 = "W40"
    HOOK = "HOOK"
    WEBHOOK = "WEBHOOK"
    FAN = "FAN"
    QUEUE = "QUEUE"
    IDLE_START = "IDLE_START"
    LOOK = "LOOK"
    LOOP = "LOOP"
    REPLAY = "REPLAY"
    TABLE = "TABLE"
    CSV = "CSV"
    RESUME = "RESUME"


MEASURES = {
    Part.W40: w40.measure,
    Part.HOOK: hook.measure,
    Part.WEBHOOK: webhook.measure,
    Part.FAN: fan.measure,
    Part.IDLE_START: idle_start.measure,
    Part.LOOK: look.measure,
    Part.LOOP: loop.measure,
    Part.REPLAY: replay.measure,
    Part.QUEUE: queue.measure,
    Part.TABLE: table.measure,
    Part.CSV: csv.measure,
    Part.RESUME: resume.measure,
}
"""What is measured on one running installation, in this order: what kills a worker comes last."""


def main(
    only: Annotated[
        list[Part] | None, typer.Option(case_sensitive=False, help="Measure this alone (START has IDLE too).")
    ] = None,
    output: Annotated[Path, typer.Option(help="Where the figures are written.")] = report.LATEST,
) -> None:
    """Measure StructForge beside its floors."""
    console = Console(highlight=False, soft_wrap=True)
    # Whoever ends the bench early ends what it started, too.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    wanted = list(Part) if not only else [part for part in Part if part in only]
    try:
        find_wrk()
        settings = report.machine()
        results: dict[str, Result] = {}
        if Part.START in wanted:
            results["START"] = _timed(console, "START, IDLE", start.measure)
        if wanted != [Part.START]:
            _measure_stack(console, wanted, results, settings)
    except (BenchError, StructForgeError) as error:
        console.print(f"[red]✗[/red] {error}")
        raise typer.Exit(1) from None
    body = report.compose(results, settings)
    report.write(body, output)
    report.show(body, console)


def _measure_stack(
    console: Console, wanted: list[Part], results: dict[str, Result], settings: dict[str, object]
) -> None:
    stack = Stack()
    try:
        stack.start()
        settings["postgresql"] = stack.server_settings()
        api = Api(stack.port)
        stack.await_workers(api)
        for part, measure in MEASURES.items():
            if part in wanted:
                results[part] = _timed(console, part, measure, stack, api)
        api.close()
    finally:
        stack.stop()


def _timed(console: Console, title: str, measure, *arguments: object) -> Result:  # type: ignore[no-untyped-def]
    began = time.monotonic()
    result: Result = measure(*arguments)
    console.print(f"[green]✓[/green] {title} [dim]({time.monotonic() - began:.0f} s)[/dim]")
    return result


if __name__ == "__main__":
    typer.run(main)
