"""A small HTTP server that speaks what kagglehub asks for; reached as a proxy for `localhost`."""

import base64
import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class KaggleServer(ThreadingHTTPServer):
    """Collections of one owner, in versions; what goes wrong is set by the test."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.archives: dict[tuple[str, int], bytes] = {}
        self.current = 1
        self.status = 200
        """Answer every question with this."""
        self.cuts: list[int | None] = []
        """Close the next answers with data after so many bytes; None sends all."""
        self.stall_after: int | None = None
        """Send no more than this, and keep the connection open."""
        self.md5: str | None = ""
        """What to claim; empty is the truth, None is nothing."""
        self.ranges = True
        self.asked: list[str] = []
        """Requests, as `GetDataset`, `DownloadDataset 3` and `bytes 100-`."""
        self.accounts: set[str] = set()
        self.stalled = threading.Event()

    @property
    def environment(self) -> dict[str, str]:
        """What makes kagglehub ask here, with an account."""
        return {
            "KAGGLE_API_ENVIRONMENT": "LOCALHOST",
            "http_proxy": f"http://127.0.0.1:{self.server_port}",
            "no_proxy": "",
            "NO_PROXY": "",
            "KAGGLE_USERNAME": "somebody",
            "KAGGLE_KEY": "secret",
        }

    def offer(self, handle: str, version: int, archive: bytes) -> None:
        self.archives[handle, version] = archive

    def __enter__(self) -> "KaggleServer":
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stalled.set()
        self.shutdown()
        self._thread.join()
        self.server_close()

    def handle_error(self, *_: Any) -> None:
        """A client that was killed is what some tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: KaggleServer

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = json.loads(self.rfile.read(length) or b"{}")
        server, name = self.server, self.path.rsplit("/", 1)[-1]
        version = body.get("datasetVersionNumber")
        server.asked.append(f"{name} {version}" if version else name)
        server.accounts.add(self.headers.get("Authorization", ""))
        handle = f"{body['ownerSlug']}/{body['datasetSlug']}"
        if server.status != 200:
            self._json({"code": server.status, "message": "no"}, server.status)
        elif name == "GetDataset":
            self._json({"currentVersionNumber": server.current})
        elif (handle, version) not in server.archives:
            self._json({"code": 404, "message": "not there"}, 404)
        else:
            self.send_response(302)
            self.send_header("Location", f"http://storage.localhost/{handle}/{version}?signed")
            self.send_header("Content-Length", "0")
            self.end_headers()

    def do_GET(self) -> None:
        server = self.server
        found = re.search(r"storage\.localhost/(.+)/(\d+)\?signed", self.path)
        assert found
        data = server.archives[found[1], int(found[2])]
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(wanted[1]) if wanted and server.ranges else 0
        if wanted:
            server.asked.append(f"bytes {wanted[1]}-")
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(data) - start))
        self.send_header("Accept-Ranges", "bytes")
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        if server.md5 is not None:
            truth = base64.b64encode(hashlib.md5(data).digest()).decode()
            self.send_header("x-goog-hash", f"crc32c=AAAAAA==, md5={server.md5 or truth}")
        self.end_headers()
        self._send(data[start:])

    def _send(self, data: bytes) -> None:
        server = self.server
        cut = server.cuts.pop(0) if server.cuts else None
        if server.stall_after is not None:
            self.wfile.write(data[: server.stall_after])
            self.wfile.flush()
            server.stalled.wait()
        else:
            self.wfile.write(data[:cut])
        self.close_connection = cut is not None or server.stall_after is not None

    def _json(self, value: dict[str, Any], status: int = 200) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        pass
