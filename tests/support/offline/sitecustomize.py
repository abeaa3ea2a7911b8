"""Put on PYTHONPATH, it refuses every connection that would leave this machine, and writes down each attempt.

Python imports a module of this name at start, so it holds for every Python process below the one it was given to.
"""

import os
import socket
import sys
from typing import Any

_LOOPBACK = ("127.", "::1", "0.0.0.0", "::ffff:127.")
_LOCAL_NAMES = ("localhost", socket.gethostname(), "")


def _refuse(what: str) -> None:
    with open(os.environ["OFFLINE_ATTEMPTS"], "a") as attempts:
        attempts.write(f"{' '.join(sys.argv[:3])}: {what}\n")
    raise OSError(f"offline: {what}")


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if event in ("socket.connect", "socket.sendto"):
        address = arguments[1]
        if isinstance(address, tuple) and not str(address[0]).startswith((*_LOOPBACK, "localhost")):
            _refuse(f"{event} {address}")
    elif event == "socket.getaddrinfo":
        host = arguments[0].decode() if isinstance(arguments[0], bytes) else arguments[0] or ""
        if not host.startswith(_LOOPBACK) and host not in _LOCAL_NAMES:
            _refuse(f"{event} {host}")


if "OFFLINE_ATTEMPTS" in os.environ:
    sys.addaudithook(_hook)
