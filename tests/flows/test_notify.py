import json
import re
import socketserver
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from apprise.plugins.slack import NotifySlack
from flows.mail import Mail
from flows.notify import notify, tell
from prefect.blocks.notifications import CustomWebhookNotificationBlock, SlackWebhook
from prefect.blocks.system import Secret
from prefect.testing.utilities import prefect_test_harness

ROOT = Path(__file__).parents[2]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning"),
]


class Hook(BaseHTTPRequestHandler):
    """Somebody's webhook: remembers what it is told."""

    told: list[tuple[str, str]] = []

    def do_POST(self) -> None:
        """Take the notice, or refuse it."""
        size = int(self.headers["Content-Length"])
        Hook.told.append((self.path, self.rfile.read(size).decode()))
        self.send_response(500 if self.path == "/broken" else 200)
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *args: object) -> None:
        """Say nothing."""


class Post(socketserver.StreamRequestHandler):
    """A mail server, as far as one mail needs it."""

    told: list[str] = []

    def handle(self) -> None:
        """Speak SMTP."""
        self.wfile.write(b"220 here\r\n")
        for line in self.rfile:
            word = line[:4].upper().strip()
            if word == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                Post.told.append(b"".join(iter(self.rfile.readline, b".\r\n")).decode())
            if word == b"QUIT":
                self.wfile.write(b"221 bye\r\n")
                return
            self.wfile.write(b"250 fine\r\n")


@pytest.fixture(scope="module")
def hook() -> Iterator[str]:
    """Address of the webhook."""
    with HTTPServer(("127.0.0.1", 0), Hook) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def post() -> Iterator[int]:
    """Port of the mail server."""
    with socketserver.TCPServer(("127.0.0.1", 0), Post) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@pytest.fixture(scope="module")
def blocks(hook: str, post: int) -> Iterator[None]:
    """As people save them on their server."""
    form = {"text": "{{subject}}: {{body}}"}
    nobody = "http://127.0.0.1:9/nobody"
    with prefect_test_harness(server_startup_timeout=180):
        hooks = {"ops": f"{hook}/ops", "broken": f"{hook}/broken", "away": nobody}
        for name, url in hooks.items():
            CustomWebhookNotificationBlock(name=name, url=url, json_data=form).save(name)
        SlackWebhook(url="https://hooks.slack.com/services/T1/B1/C1").save("team")
        query = "mode=insecure&from=road@example.org&to=team@example.org"
        Mail(url=f"mailto://127.0.0.1:{post}/?{query}").save("team")
        Secret(value="x").save("wrong")
        yield


def test_every_block_is_told_and_a_broken_one_holds_up_nobody(
    blocks: None, hook: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Webhook, Slack in Slack's own form, mail; one refuses, one is away, two are wrong."""
    # Slack's own address, but here.
    monkeypatch.setattr(NotifySlack, "webhook_url", f"{hook}/slack")
    names = ["custom-webhook/away", "custom-webhook/broken", "secret/wrong", "slack-webhook/none"]
    names += ["custom-webhook/ops", "slack-webhook/team", "mail/team"]
    text = (ROOT / "params.yaml").read_text()
    (project / "params.yaml").write_text(f"{text}\nretrain:\n  notify: {json.dumps(names)}\n")
    Hook.told.clear()
    notify("retrain: car promoted", "All 13 rules passed.\nhttp://127.0.0.1:4200/runs/1")
    told = dict(Hook.told)
    assert json.loads(told["/ops"])["text"].startswith("retrain: car promoted: All 13 rules")
    [said] = json.loads(told["/slack/T1/B1/C1"])["attachments"]
    assert said["title"] == "retrain: car promoted" and "All 13 rules passed." in said["text"]
    [mail] = Post.told
    assert re.search(r"^Subject: .*retrain", mail, re.M) and "To: team@example.org" in mail
    assert "/broken" in told


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("custom-webhook/broken", "500"),
        ("custom-webhook/away", "was not told"),
        ("secret/wrong", "no notification block"),
        ("slack-webhook/none", "Unable to find block document"),
    ],
)
def test_what_could_not_be_told_is_in_the_log(
    blocks: None, caplog: pytest.LogCaptureFixture, name: str, words: str
) -> None:
    """With the reason."""
    assert not tell(name, "retrain: failed", "bad data")
    assert name in caplog.text and words in caplog.text


def test_without_settings_nobody_is_told_and_nothing_breaks(
    project: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A params.yaml that cannot be read is the flow's own business."""
    notify("retrain: failed", "no params.yaml")
    assert "nobody is told" in caplog.text
