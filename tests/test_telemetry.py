"""Log lines are JSON, one a line, whatever is logged, and secrets are masked."""

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from structforge.config import load_settings
from structforge.security.redaction import MASK
from structforge.telemetry import configure_logging


@pytest.fixture
def stream(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    configure_logging(
        load_settings(home=tmp_path, DATABASE_URL="postgresql://me:p%40ss-word@db.example/x"), "test"
    )
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.parametrize("value", ["p@ss-word", "p%40ss-word", "postgresql://me:p%40ss-word@db.example/x"])
def test_secrets_are_masked_wherever_they_stand(stream: io.StringIO, value: str) -> None:
    logger = logging.getLogger("test")
    try:
        raise ValueError(f"cannot reach {value}")
    except ValueError:
        logger.exception("failed: %s", value, extra={"where": {"url": value}, "api_key": "abc"})
    line = json.loads(stream.getvalue())
    assert "ss-word" not in stream.getvalue()
    assert line["api_key"] == MASK
    assert (line["level"], line["process"], line["logger"]) == ("error", "test", "test")
    assert "ValueError" in line["exception"]


@pytest.mark.parametrize("value", ["\ud800", 10**40, "a\nb", b"\xff", {1: 2}, object()])
def test_every_value_becomes_one_line_of_json(stream: io.StringIO, value: object) -> None:
    logging.getLogger("test").warning("value %s", value, extra={"value": value})
    assert stream.getvalue().count("\n") == 1
    assert json.loads(stream.getvalue())["message"].startswith("value ")
