"""The outside world of a row: an HTTP server that counts what reaches it, by idempotency key.

Invariant: it takes each key once, as a receiver that does its part would, and remembers every request.
"""

import json
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Receiver:
    """Listens on a free port of the loopback while it is open."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.requests: Counter[tuple[str, str]] = Counter()
        """(run, step) to the requests that came."""
        self.keys: dict[tuple[str, str], set[str]] = {}
        """(run, step) to the keys they carried."""
        self.effects: Counter[tuple[str, str]] = Counter()
        """(run, step) to the effects: requests with a key that was new."""
        self._seen: set[str] = set()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                size = int(self.headers.get("content-length", "0"))
                body = json.loads(self.rfile.read(size))
                receiver.take(body["run"], self.path.strip("/"), self.headers.get("idempotency-key", ""))
                answer = b'{"taken": true}'
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *arguments: Any) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, name="receiver", daemon=True).start()

    def take(self, run: str, step: str, key: str) -> None:
        """Count one request."""
        place = run, step
        with self._lock:
            self.requests[place] += 1
            self.keys.setdefault(place, set()).add(key)
            if key not in self._seen:
                self._seen.add(key)
                self.effects[place] += 1

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
