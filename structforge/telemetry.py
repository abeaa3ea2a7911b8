"""Logs of a process: one JSON object a line, on standard error, with secrets masked.

Invariant: whatever logger writes, a registered secret does not pass. Entry points call `configure_logging` once.
"""

import json
import logging
import sys
from datetime import UTC, datetime
from urllib.parse import unquote, urlsplit

import orjson

from structforge.config import Settings
from structforge.domain.values import dump_json
from structforge.security.redaction import Redactor

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """Writes records as JSON: `at`, `level`, `process`, `logger`, `message`, extras and the exception."""

    def __init__(self, process: str, redactor: Redactor) -> None:
        super().__init__()
        self._process = process
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        """Return one line."""
        body = {
            "at": datetime.fromtimestamp(record.created, UTC),
            "level": record.levelname.lower(),
            "process": self._process,
            "logger": record.name,
            "message": self._redactor.text(record.getMessage()),
        }
        extras = {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if extras:
            body |= self._redactor.value(extras)
        if record.exc_info:
            body["exception"] = self._redactor.text(self.formatException(record.exc_info))
        try:
            return dump_json(body, default=str, option=orjson.OPT_UTC_Z).decode()
        except (TypeError, ValueError):
            # Half a UTF-16 pair or an endless integer in a value: told in ASCII, never lost.
            return json.dumps(body, default=str)


def configure_logging(settings: Settings, process: str) -> Redactor:
    """Send all logging through one JSON handler; returns the redactor, to register secrets with."""
    redactor = Redactor()
    urls = (
        settings.database_url,
        settings.database_app_url,
        settings.database_engine_url,
        settings.redis_url,
    )
    for url in urls:
        password = None if url is None else urlsplit(url.get_secret_value()).password
        if password:
            redactor.add(password, unquote(password))
    for secret in (settings.secret_key, settings.admin_password, settings.database_role_password):
        if secret is not None:
            redactor.add(secret.get_secret_value())
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(process, redactor))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level.value.upper())
    return redactor
