"""The page's files are served with the right types and rules, and nothing beside them is."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from roadworthy.errors import ParamsError
from roadworthy.serving.champions import Champion
from roadworthy.serving.page import BUILD, find_page
from served import app_of

HASHED = "assets/index-CVG6E0RN.js"
SECRET = "not to be served"
HTML = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A built page, with a file beside it that is nobody's business."""
    root = tmp_path_factory.mktemp("web")
    (root / "secret.txt").write_text(SECRET)
    files = {
        "index.html": "<!doctype html><title>Roadworthy</title>",
        HASHED: "export {};",
        "assets/index-B54ue_Cn.css": ":root{}",
        "assets/icon-Bu6SexGN.svg": "<svg/>",
        "samples/street.jpg": "jpeg",
        "notes.txt": SECRET,
    }
    for name, content in files.items():
        path = root / "dist" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    (root / "dist" / "assets" / "link.js").symlink_to(root / "secret.txt")
    return root / "dist"


@pytest.fixture(scope="module")
def built(champions: dict[str, Champion], folder: Path) -> Iterator[TestClient]:
    with TestClient(app_of(champions, page=folder)) as client:
        yield client


@pytest.fixture
def unbuilt(
    champions: dict[str, Champion], monkeypatch: pytest.MonkeyPatch
) -> Iterator[TestClient]:
    monkeypatch.setattr("roadworthy.serving.page.find_page", lambda folder: None)
    with TestClient(app_of(champions)) as client:
        yield client


@pytest.mark.parametrize(
    ("path", "kind", "cached"),
    [
        ("/", "text/html; charset=utf-8", "no-cache"),
        (f"/{HASHED}", "text/javascript; charset=utf-8", "immutable"),
        ("/assets/index-B54ue_Cn.css", "text/css; charset=utf-8", "immutable"),
        ("/assets/icon-Bu6SexGN.svg", "image/svg+xml", "immutable"),
        ("/samples/street.jpg", "image/jpeg", "max-age=86400"),
    ],
)
def test_every_file_has_its_type_and_its_rules(
    built: TestClient, path: str, kind: str, cached: str
) -> None:
    """A script of the wrong type does not run, an index that is cached stays behind its assets."""
    answer = built.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, kind)
    assert cached in answer.headers["cache-control"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy and "unsafe" not in policy and "http" not in policy
    head = built.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(answer.content))


def test_an_unchanged_file_is_not_sent_again(built: TestClient) -> None:
    """A page that is opened often costs a few bytes."""
    for path in ("/samples/street.jpg", f"/{HASHED}"):
        tag = built.get(path).headers["etag"]
        again = built.get(path, headers={"if-none-match": tag})
        assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "path",
    [
        "/assets/../../secret.txt",
        "/assets/..%2f..%2fsecret.txt",
        "/assets/%2e%2e/%2e%2e/secret.txt",
        "/assets/..%5c..%5csecret.txt",
        "/assets//etc/passwd",
        "/assets/%2fetc%2fpasswd",
        "/assets/link.js",
        "/assets/nothing-CVG6E0RN.js",
        "/assets/",
        "/assets/%00",
        "/samples/../notes.txt",
        "/notes.txt",
        "/index.html",
    ],
)
def test_nothing_else_is_served(built: TestClient, path: str) -> None:
    """Neither what lies beside the page nor a list of its files, and with the usual refusal."""
    answer = built.get(path)
    assert answer.status_code == 404 and SECRET not in answer.text
    assert set(answer.json()) == {"error", "message", "hint", "request_id"}


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    parts=st.lists(
        st.sampled_from(
            ["..", "%2e%2e", ".", "assets", "secret.txt", "%2f", "\\", "%00", "~", "é"]
        ),
        min_size=1,
        max_size=7,
    )
)
def test_no_path_leads_out(built: TestClient, parts: list[str]) -> None:
    """However it is spelled: a file of the page, or 404, and never an error of ours."""
    answer = built.get("/assets/" + "/".join(parts))
    assert answer.status_code in (200, 404) and SECRET not in answer.text


def test_without_a_page_programs_are_told_how_to_go_on(unbuilt: TestClient) -> None:
    """Where Node is absent the service still answers, and says how the page is built."""
    answer = unbuilt.get("/")
    said = answer.json()
    assert answer.status_code == 200 and BUILD in said["page"]
    assert "file=@" in said["try"]["predict"] and "/tasks" in said["see"]
    assert unbuilt.head("/").status_code == 200
    assert unbuilt.get("/assets/index.js").status_code == 404


def test_without_a_page_people_are_told_too(unbuilt: TestClient) -> None:
    """A browser gets words, not JSON."""
    answer = unbuilt.get("/", headers=HTML)
    assert answer.headers["content-type"].startswith("text/html")
    assert f"<code>{BUILD}</code>" in answer.text and "<script" not in answer.text


def test_the_page_is_no_endpoint(built: TestClient) -> None:
    """OpenAPI lists what programs call."""
    assert "/" not in built.get("/openapi.json").json()["paths"]
    assert built.post("/").status_code == 405


def test_a_page_that_is_missing_where_it_was_named_stops_the_start(tmp_path: Path) -> None:
    """Better now than when the first visitor comes."""
    with pytest.raises(ParamsError, match=BUILD):
        find_page(tmp_path)
    (tmp_path / "index.html").touch()
    assert find_page(tmp_path) == tmp_path
