"""The script that comments: against a server on loopback that keeps comments as GitHub does."""

import json
import runpy
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

SCRIPT = Path(__file__).parents[1] / ".github" / "scripts" / "comment.py"
NAMES = runpy.run_path(str(SCRIPT))
MARK, LONGEST, harmless = NAMES["MARK"], NAMES["LONGEST"], NAMES["harmless"]
RUN = {
    "head_sha": "a" * 40,
    "head_branch": "x`$(touch /tmp/pwned)`&head=main",
    "head_repository": {"id": 7, "owner": {"login": "somebody"}},
    "html_url": "https://github.example/runs/1",
}


class Handler(BaseHTTPRequestHandler):
    """Pull requests and comments of one repository; who asks without the token is refused."""

    pulls: ClassVar[list[dict[str, Any]]] = []
    comments: ClassVar[list[dict[str, Any]]] = []
    asked: ClassVar[list[str]] = []

    def log_message(self, *words: object) -> None:
        pass

    def answer(self, value: object, status: int = 200) -> None:
        content = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        if self.headers["Authorization"] != "Bearer secret":
            self.answer({"message": "Bad credentials"}, 401)
            return
        found = self.comments
        if url.path == "/repos/o/r/pulls":
            self.asked.append(query["head"])
            found = [one for one in self.pulls if one["head"]["label"] == query["head"]]
        first = (int(query["page"]) - 1) * 100
        self.answer(found[first : first + 100])

    def body(self) -> str:
        text: str = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["body"]
        return text

    def do_POST(self) -> None:
        assert self.path == "/repos/o/r/issues/12/comments"
        user = {"login": "github-actions[bot]"}
        self.comments.append({"id": len(self.comments), "user": user, "body": self.body()})
        self.answer(self.comments[-1], 201)

    def do_PATCH(self) -> None:
        number = int(self.path.removeprefix("/repos/o/r/issues/comments/"))
        self.comments[number]["body"] = self.body()
        self.answer(self.comments[number])


@pytest.fixture
def github() -> Iterator[str]:
    """The server's address; with one open pull request, number 12, of a fork."""
    label = f"somebody:{RUN['head_branch']}"
    gone = {"number": 11, "head": {"sha": "a" * 40, "label": label, "repo": None}}
    old = {"number": 13, "head": {"sha": "b" * 40, "label": label, "repo": {"id": 7}}}
    asked = {"number": 12, "head": {"sha": "a" * 40, "label": label, "repo": {"id": 7}}}
    Handler.pulls, Handler.comments, Handler.asked = [gone, old, asked], [], []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def tell(address: str, folder: Path, text: str | None, token: str = "secret") -> str:
    (folder / "event.json").write_text(json.dumps({"workflow_run": RUN}))
    if text is not None:
        (folder / "comment.md").write_text(text)
    set_ = {"GITHUB_EVENT_PATH": str(folder / "event.json"), "GITHUB_API_URL": address}
    done = subprocess.run(
        [sys.executable, SCRIPT, folder / "comment.md"],
        env={**set_, "GITHUB_REPOSITORY": "o/r", "GITHUB_TOKEN": token},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


def test_there_is_one_comment_and_it_is_updated(github: str, tmp_path: Path) -> None:
    """A comment for every push would bury the discussion; nobody else's is touched."""
    person = {"id": 0, "user": {"login": "somebody"}, "body": f"{MARK}\nnot yours"}
    Handler.comments += [person] + [{**person, "id": n, "body": "hm"} for n in range(1, 120)]
    assert "told pull request 12" in tell(github, tmp_path, "first")
    assert "told pull request 12" in tell(github, tmp_path, "second")
    assert len(Handler.comments) == 121
    assert "second" in Handler.comments[-1]["body"]
    assert Handler.comments[0] == person
    assert Handler.asked == [f"somebody:{RUN['head_branch']}"] * 2


def test_a_run_for_a_commit_that_is_no_longer_the_last_says_nothing(
    github: str, tmp_path: Path
) -> None:
    """Figures of an older commit would be taken for those of the newest."""
    Handler.pulls = Handler.pulls[:2]
    assert "no open pull request" in tell(github, tmp_path, "late")
    assert Handler.comments == []


def test_a_road_that_stopped_is_told(github: str, tmp_path: Path) -> None:
    """No comment would look like no change."""
    tell(github, tmp_path, None)
    assert "stopped half way" in Handler.comments[0]["body"]
    assert str(RUN["html_url"]) in Handler.comments[0]["body"]


def test_a_refusal_fails_the_job(github: str, tmp_path: Path) -> None:
    """Missing rights must be seen."""
    assert "401" in tell(github, tmp_path, "text", token="wrong")
    assert Handler.comments == []


def test_the_text_of_a_stranger_calls_nobody_and_leads_nowhere(github: str, tmp_path: Path) -> None:
    """It is signed by the repository's own bot, so people would trust it."""
    hostile = (
        "@everybody see [the report](https://evil.example) ![](http://evil.example/p.png) www.evil.example "
        "<img src=x onerror=alert(1)> [a][b]\n[b]: //evil.example\n#1 GH-1 \u202eback <!-- x -->"
        "<details><summary>ok</summary></details>"
    )
    tell(github, tmp_path, hostile + "x" * 500_000)
    body = Handler.comments[0]["body"]
    told = body.removeprefix(MARK).rpartition("[The run]")[0]
    for live in ("@e", "](h", "://", "www.", "<img", "<!--", "][", "]:", "#1", "GH-1", "\u202e"):
        assert live not in told, live
    assert "<details><summary>ok</summary></details>" in told
    assert len(body) < 65_536


@given(st.text())
def test_whatever_is_written_no_tag_but_ours_is_left(text: str) -> None:
    """Any text at all."""
    shown = harmless(text)
    for tag in ("details", "summary", "b", "code"):
        shown = shown.replace(f"<{tag}>", "").replace(f"</{tag}>", "")
    assert "<" not in shown
    assert "://" not in shown
