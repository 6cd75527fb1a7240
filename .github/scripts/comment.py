"""Put what a pull request's run left under it, as one comment that is updated.

Runs with a token that may write, after the run that had none, with the standard library alone. Which
pull request it is, the event says, and GitHub confirms; the text is the pull request's own: data.
"""

import html
import json
import os
import re
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MARK = "<!-- the road with this change -->"
BOT = "github-actions[bot]"
# GitHub takes 65,536 characters.
LONGEST = 60_000
LONGEST_FILE = 400_000
TAGS = ("details", "summary", "b", "code")
# After these a zero-width space: nobody is called, nothing is linked, no picture is loaded.
LIVE = re.compile(r"@|#(?=\d)|GH(?=-\d)|\](?=[(\[:])|:(?=//)|(?i:www)(?=\.)")


class GitHub:
    """The API of one repository."""

    def __init__(self, address: str, repository: str, token: str) -> None:
        self.address = f"{address}/repos/{repository}"
        self.token = token

    def ask(self, path: str, method: str = "GET", body: dict[str, Any] | None = None) -> Any:
        """The answer to one request, as Python values.

        Raises:
            OSError: GitHub cannot be reached, or refuses.
        """
        headers = {
            "Authorization": f"Bearer {self.token}",
            "Accept": "application/vnd.github+json",
            "Content-Type": "application/json",
        }
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.address}{path}", data, headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def pages(self, path: str) -> Iterator[Any]:
        """What a list holds, over all its pages."""
        for number in range(1, 101):
            page = self.ask(f"{path}{'&' if '?' in path else '?'}per_page=100&page={number}")
            yield from page
            if len(page) < 100:
                return


def pull_request(github: GitHub, run: dict[str, Any]) -> int | None:
    """Number of the open pull request whose latest commit that run was for; None if there is none.

    The event names it for branches of this repository only, so GitHub is asked for all.
    """
    head = f"{run['head_repository']['owner']['login']}:{run['head_branch']}"
    query = urllib.parse.urlencode({"state": "open", "head": head})
    for found in github.pages(f"/pulls?{query}"):
        source = found["head"]
        # A fork may have been deleted since.
        home = (source["repo"] or {}).get("id")
        if source["sha"] == run["head_sha"] and home == run["head_repository"]["id"]:
            number: int = found["number"]
            return number
    return None


def harmless(text: str) -> str:
    """Markdown that can show, but neither call people nor lead anywhere."""
    shown = "".join(c for c in text if c.isprintable() or c == "\n")
    shown = html.escape(shown, quote=False)
    shown = re.sub(rf"&lt;(/?(?:{'|'.join(TAGS)}))&gt;", r"<\1>", shown)
    return LIVE.sub(lambda found: f"{found.group()}\u200b", shown)


def body(path: Path, run: dict[str, Any]) -> str:
    """The comment: what the file says, or that the road did not get so far."""
    where = f"[The run]({run['html_url']}) of {run['head_sha'][:12]}"
    if not path.is_file() or path.is_symlink():
        return f"{MARK}\n## The road with this change\n\nIt stopped half way. {where} says where.\n"
    with path.open("rb") as file:
        text = harmless(file.read(LONGEST_FILE).decode(errors="replace"))
    if len(text) > LONGEST:
        text = f"{text[:LONGEST]}\n\n(cut)"
    return f"{MARK}\n{text}\n\n{where} has the reports.\n"


def put(github: GitHub, number: int, text: str) -> None:
    """Update our comment under a pull request, or write the first."""
    for comment in github.pages(f"/issues/{number}/comments"):
        if comment["user"]["login"] == BOT and comment["body"].startswith(MARK):
            github.ask(f"/issues/comments/{comment['id']}", "PATCH", {"body": text})
            return
    github.ask(f"/issues/{number}/comments", "POST", {"body": text})


def main(path: Path) -> None:
    """Comment as the event and the environment of GitHub say."""
    told = os.environ
    run = json.loads(Path(told["GITHUB_EVENT_PATH"]).read_text(encoding="utf-8"))["workflow_run"]
    github = GitHub(told["GITHUB_API_URL"], told["GITHUB_REPOSITORY"], told["GITHUB_TOKEN"])
    number = pull_request(github, run)
    if number is None:
        print("no open pull request ends with that commit: it was closed, or has gone on")
        return
    put(github, number, body(path, run))
    print(f"told pull request {number}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
