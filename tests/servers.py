"""An HTTP server on loopback that behaves well, badly and maliciously."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BODY = bytes(range(256)) * 4096  # 1 MiB


class Handler(BaseHTTPRequestHandler):
    """Each path is one kind of server; requests are kept in ``server.seen``."""

    def log_message(self, *_arguments):
        """Silence."""

    def do_GET(self):
        self.server.seen.append((self.path, self.headers.get("Range")))
        first = sum(path == self.path for path, _ in self.server.seen) == 1
        match self.path:
            case "/good":
                self.send()
            case "/breaks":  # sends a third, then the rest when asked for it
                self.send(stop=len(self.server.body) // 3 if first else None)
            case "/breaks-no-range":
                self.send(stop=len(self.server.body) // 3 if first else None, ranges=False)
            case "/always-breaks":
                self.send(stop=1000, ranges=False)
            case "/wrong":
                self.send(body=b"<html>log in first</html>")
            case "/redirect":
                self.send_response(302)
                self.send_header("Location", "/good")
                self.end_headers()
            case "/slow":  # falls silent in the middle, once
                self.send(stall=first)
            case "/busy":
                self.send() if not first else self.send_error(503)
            case "/short":  # the file is smaller than what arrived before
                self.send(body=self.server.body[:100])
            case _:
                self.send_error(404)

    def send(self, body=None, stop=None, ranges=True, stall=False):
        body = self.server.body if body is None else body
        start = 0
        if ranges and (asked := self.headers.get("Range")):
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            if start >= len(body):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(body)}")
                self.send_header("Content-Length", "0")
                return self.end_headers()
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        if stall:
            self.wfile.write(body[start : start + 5000])
            self.wfile.flush()
            time.sleep(3)
        else:
            self.wfile.write(body[start:stop])
        self.close_connection = True


@contextmanager
def serving(body: bytes = BODY) -> Iterator[ThreadingHTTPServer]:
    """A running server whose files hold ``body``; its requests are kept in ``seen``."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.body, server.seen, server.daemon_threads = body, [], True
    server.address = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
