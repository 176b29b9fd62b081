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

    protocol_version = "HTTP/1.1"

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
                self.send_header("Content-Length", "0")
                self.end_headers()
            case "/redirect-to-file":
                self.send_response(302)
                self.send_header("Location", "file:///etc/hostname")
                self.send_header("Content-Length", "0")
                self.end_headers()
            case "/slow":  # falls silent in the middle, once
                self.send(stall=first)
            case "/busy":
                self.send() if not first else self.send_error(503)
            case "/short":  # the file is smaller than what arrived before
                self.send(body=self.server.body[:100])
            case "/changes":  # breaks off, and then has another version of the same length
                self.send(stop=len(self.server.body) // 3) if first else self.send_changed()
            case "/changes-unseen":  # the same, and heeds no If-Range
                if first:
                    self.send(stop=len(self.server.body) // 3)
                else:
                    self.send_changed(heed=False)
            case "/whole-as-rest":
                self.send(start=0, status=206)
            case "/whole-as-rest-unsaid":
                self.send(start=0, status=206, headers={"Content-Range": None})
            case "/another-rest":
                self.send(start=5)
            case "/capped":  # breaks off, and never sends more than a quarter of the rest at once
                self.send(stop=len(self.server.body) // 4 if first else None, cap=1 << 18)
            case "/empty":
                self.send(body=b"", ranges=False)
            case "/no-content":
                self.send_response(204)
                self.end_headers()
            case "/being-made":
                self.send() if not first else self.send(body=b"", status=202)
            case "/page":
                self.send(headers={"Content-Type": "text/html; charset=utf-8"})
            case "/page-unsaid":
                self.send(body=b" \n<!DOCTYPE html><html>log in first</html>")
            case "/encoded":
                self.send(headers={"Content-Encoding": "gzip"})
            case "/chunked":
                self.send_chunks(whole=True)
            case "/chunked-cut":
                self.send_chunks(whole=not first)
            case "/no-length":
                self.send(headers={"Content-Length": None})
            case "/odd-length":
                self.send(headers={"Content-Length": "one"})
            case "/length-too-short":
                self.send(headers={"Content-Length": "1000"})
            case "/length-too-long":
                self.send(headers={"Content-Length": str(len(self.server.body) + 9)})
            case "/busy-429":
                self.send() if not first else self.send_error(429)
            case "/rude":
                self.send_error(403, "go\x1b[31m away")
            case _:
                self.send_error(404)

    def send(
        self,
        body=None,
        stop=None,
        ranges=True,
        stall=False,
        start=None,
        status=None,
        cap=None,
        version="1",
        headers=None,
    ):
        """Send the body; ``headers`` replace those that belong to it, None leaves one out."""
        body = self.server.body if body is None else body
        asked = self.headers.get("Range") if ranges else None
        if self.headers.get("If-Range") not in (None, f'"{version}"'):
            asked = None
        first = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        if asked and first >= len(body):
            status, headers = 416, {"Content-Range": f"bytes */{len(body)}"}
            body, first = b"", 0
        first = first if start is None else start
        part = body[first : first + cap] if asked and cap else body[first:]
        status = status or (206 if asked else 200)
        sent = {"Content-Length": str(len(part))}
        if ranges:
            sent["ETag"] = f'"{version}"'
        if status == 206:
            sent["Content-Range"] = f"bytes {first}-{first + len(part) - 1}/{len(body)}"
        self.send_response(status)
        for key, value in (sent | (headers or {})).items():
            if value is not None:
                self.send_header(key, value)
        self.send_header("Connection", "close")
        self.end_headers()
        if stall:
            self.wfile.write(part[:5000])
            self.wfile.flush()
            time.sleep(3)
        else:
            self.wfile.write(part if stop is None else part[: max(0, stop - first)])

    def send_changed(self, heed=True):
        """Another version: ranges of the old one are not continued, or are if it heeds nothing."""
        if not heed:
            del self.headers["If-Range"]
        self.send(body=self.server.body[::-1], version="2")

    def send_chunks(self, whole):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.send_header("Connection", "close")
        self.end_headers()
        size = len(self.server.body) // 2
        for part in (self.server.body[:size], self.server.body[size:])[: 2 if whole else 1]:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        if whole:
            self.wfile.write(b"0\r\n\r\n")


@contextmanager
def serving(body: bytes = BODY) -> Iterator[ThreadingHTTPServer]:
    """A running server whose files hold ``body``; its requests are kept in ``seen``."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.body, server.seen, server.daemon_threads = body, [], True
    server.address = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
