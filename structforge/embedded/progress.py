"""How `structforge up` tells what it does: a line per step in a terminal, or JSON lines through a pipe.

Invariant: an event is a JSON object with the key `event`; a detached supervisor sends the same events to the
command that started it, which renders them, so a password is shown and never written to a file.
"""

import json
import time
from contextlib import suppress
from typing import IO, Any, Protocol

from rich.console import Console
from rich.markdown import Markdown
from rich.panel import Panel
from rich.status import Status

Event = dict[str, Any]


class Reporter(Protocol):
    """Somebody who wants to know."""

    def emit(self, event: Event) -> None:
        """Take one event: `step` `detail` `done` `note` `credentials` `result` `ready` `failed` `stopped`."""
        ...

    def close(self) -> None:
        """Nothing more will come from the start-up."""
        ...


class TerminalReporter:
    """Prints a line per step, with a spinner while it lasts when the output is a terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._status: Status | None = None
        self._title = ""
        self._since = 0.0

    def emit(self, event: Event) -> None:
        """Render one event."""
        kind = event["event"]
        if kind == "step":
            self._title = event["title"]
            self._since = time.monotonic()
            if self._console.is_terminal:
                self._status = self._console.status(f"{self._title} …")
                self._status.start()
        elif kind == "detail" and self._status is not None:
            self._status.update(f"{self._title} … [dim]{event['text']}[/dim]")
        elif kind == "done":
            self._end_status()
            seconds = time.monotonic() - self._since
            outcome = f"  [dim]{event['text']}[/dim]" if event.get("text") else ""
            self._console.print(f"[green]✓[/green] {self._title}{outcome} [dim]({seconds:.1f} s)[/dim]")
        elif kind == "note":
            self._console.print(f"  {event['text']}", highlight=False)
        elif kind == "credentials":
            text = (
                f"e-mail    [bold]{event['email']}[/bold]\npassword  [bold]{event['password']}[/bold]\n"
                "[dim]Shown this once. Change it after signing in.[/dim]"
            )
            self._console.print(Panel(text, title="Administrator", expand=False, highlight=False))
        elif kind == "result":
            self._console.print(f"[green]✓[/green] {event['title']}")
            if event.get("markdown"):
                self._console.print(Panel(Markdown(event["markdown"]), expand=False))
        elif kind == "ready":
            self._console.print(
                f"\n[bold green]StructForge is running:[/bold green] {event['url']}", highlight=False
            )
            self._console.print(f"[dim]{event['hint']}[/dim]", highlight=False)
        elif kind == "failed":
            self._end_status()
            problem = event["problem"]
            self._console.print(f"[red]✗[/red] {self._title}: {problem['message']}", highlight=False)
            if problem.get("hint"):
                self._console.print(f"  {problem['hint']}", highlight=False)
        elif kind == "stopped":
            self._end_status()
            self._console.print(event["text"], highlight=False)

    def close(self) -> None:
        """Take the spinner away."""
        self._end_status()

    def _end_status(self) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None


class StreamReporter:
    """Writes each event as a line of JSON; a reader that has gone away is no reason to fail."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def emit(self, event: Event) -> None:
        """Write one event."""
        with suppress(BrokenPipeError, ValueError):
            self._stream.write(json.dumps(event) + "\n")
            self._stream.flush()

    def close(self) -> None:
        """Let the reader see the end of file."""
        with suppress(BrokenPipeError):
            self._stream.close()
