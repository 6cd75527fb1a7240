"""A webhook on loopback that remembers what it was told."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


class Webhook:
    """`told` has the subject of every notice, and then its body."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                said = json.loads(self.rfile.read(length))
                hook.told.append((said["subject"], said["body"]))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *words: object) -> None:
                """Silent."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.server.server_port}/"

    def news(self) -> list[tuple[str, str]]:
        """What it was told since it was asked last."""
        told, self.told = self.told, []
        return told


@contextmanager
def webhook() -> Iterator[Webhook]:
    """One that listens inside the block."""
    made = Webhook()
    thread = Thread(target=made.server.serve_forever)
    thread.start()
    try:
        yield made
    finally:
        made.server.shutdown()
        thread.join()
        made.server.server_close()
