"""What the run found: a table for people and `bench/latest.json` for programs."""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from bench.figures import Figure
from bench.measures import Result
from bench.wrk import wrk_version

LATEST = Path(__file__).with_name("latest.json")
KEYS = (
    "w40_ms", "w40_floor_ms", "hook_rps", "hook_floor_rps", "webhook_rps", "fan_s", "fan_1000_s", "queue_runs_per_s",
    "idle_start_ms", "loop_ms_per_iteration", "replay_ms", "table_1m_s", "table_1m_floor_s", "csv_100mb_s",
    "csv_100mb_floor_s", "resume_s",
    "idle_pss_mb", "start_cold_s", "start_warm_s",
)  # fmt: skip
BARS = {
    "w40_ms": "≤ 5 × floor, aim 3 ×",
    "hook_rps": "≥ 20 % of floor, aim 30 %",
    "fan_s": "≤ 1.10",
    "fan_1000_s": "aim ≤ 1.15",
    "idle_start_ms": "aim ≤ 4",
    "loop_ms_per_iteration": "aim ≤ 0.5",
    "resume_s": "≤ lease + 2",
    "table_1m_s": "≤ 4 × floor",
    "csv_100mb_s": "≤ 1.5 × floor",
    "queue_runs_per_s": "aim ≥ 1,000",
    "start_warm_s": "≤ 5",
    "start_cold_s": "≤ 180",
}
PACKAGES = (
    "fastapi",
    "granian",
    "psycopg",
    "redis",
    "rq",
    "uvloop",
    "reflex",
    "orjson",
    "pydantic",
    "polars",
    "pyarrow",
)


def machine() -> dict[str, Any]:
    """Describe what the figures were measured on."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True
    ).stdout.strip()
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit,
        "python": sys.version.split()[0],
        "packages": {name: version(name) for name in PACKAGES},
        "wrk": wrk_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cpus": os.cpu_count(),
        "memory_mb": round(psutil.virtual_memory().total / 1e6),
        "load_average_before": [round(value, 2) for value in os.getloadavg()],
    }


def compose(results: Mapping[str, Result], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the body of `latest.json`: medians by key, spreads beside, details and settings."""
    body: dict[str, Any] = {}
    spread: dict[str, Any] = {}
    details: dict[str, Any] = {}
    for result in results.values():
        details |= result.details
        for key, figure in result.figures.items():
            if isinstance(figure, Figure):
                body[key], spread[key] = figure.median, figure.spread
            else:
                body[key] = {name: part.median for name, part in figure.items()}
                spread[key] = {name: part.spread for name, part in figure.items()}
    return {**body, "spread": spread, "details": details, "settings": dict(settings)}


def write(body: Mapping[str, Any], target: Path = LATEST) -> None:
    """Replace the file."""
    target.write_text(json.dumps(body, indent=2) + "\n")


def show(body: Mapping[str, Any], console: Console) -> None:
    """Print a line per figure."""
    table = Table(title="StructForge bench (median, lowest … highest)")
    for title in ("", "measured", "spread", "floor", "of the floor", "bar"):
        table.add_column(title, justify="right" if title not in ("", "bar") else "left")
    for key in KEYS:
        if key not in body or "floor" in key:
            continue
        floor = body.get(_floor_of(key)) if key in _FLOORED else None
        spread = body["spread"][key]
        rows = body[key].items() if isinstance(body[key], dict) else [("", body[key])]
        for name, value in rows:
            beside = floor[name] if isinstance(floor, dict) else floor
            low, high = spread[name] if name else spread
            table.add_row(
                f"{key} {name}".strip(),
                f"{value:,}",
                f"{low:,} … {high:,}",
                "" if beside is None else f"{beside:,}",
                "" if beside is None else _ratio(key, value, beside),
                BARS.get(key, ""),
            )
    console.print(table)
    for key, value in body["details"].items():
        console.print(f"[dim]{key}: {json.dumps(value)}[/dim]", highlight=False)


_FLOORED = ("w40_ms", "hook_rps", "table_1m_s", "csv_100mb_s")


def _floor_of(key: str) -> str:
    name, unit = key.rsplit("_", 1)
    return f"{name}_floor_{unit}"


def _ratio(key: str, value: float, floor: float) -> str:
    return f"{value / floor:.2f} ×" if key != "hook_rps" else f"{value / floor:.1%}"
