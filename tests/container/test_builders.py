"""With a program that keeps images as JSON files: what is told to it, and what is made of its words."""

import json
import os
import sys
from pathlib import Path

import pytest

from roadworthy.container import builders
from roadworthy.container.builders import Builder
from roadworthy.errors import BundleError

PROGRAM = """#!{python}
import json, os, sys
from pathlib import Path
store = Path(os.environ["FAKE_STORE"])
words = sys.argv[1:]
with (store / "asked").open("a") as log:
    log.write(json.dumps(words) + "\\n")
if words[:2] == ["image", "inspect"] and (store / words[2]).is_file():
    print((store / words[2]).read_text())
elif words[:1] == ["pull"] and words[1] == "base":
    (store / "base").write_text(json.dumps([{{"Id": "b", "Config": {{}}, "Size": 5000000}}]))
elif words[:1] == ["create"]:
    print("warning: something\\n0123abcd")
elif words[:1] == ["cp"] and words[1].endswith("status"):
    Path(words[2]).write_text("Package: x")
elif words[:1] in (["build"], ["rm"], ["tag"], ["--version"]):
    print("done")
else:
    sys.exit("first line\\nno such thing: " + words[0])
"""


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the program keeps its images; `podman` is that program, and there is no other."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "podman").write_text(PROGRAM.format(python=sys.executable))
    (folder / "podman").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("FAKE_STORE", str(tmp_path))
    return tmp_path


def asked(store: Path) -> list[list[str]]:
    return [json.loads(line) for line in (store / "asked").read_text().splitlines()]


@pytest.mark.usefixtures("store")
def test_the_first_that_works_is_taken() -> None:
    """Docker's program without its daemon, or none at all, is passed over."""
    assert builders.find().program == "podman"
    assert builders.find("podman").program == "podman"
    with pytest.raises(BundleError, match="none of docker works here"):
        builders.find("docker")


def test_where_none_works_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that is there and fails counts as absent."""
    (tmp_path / "docker").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/nowhere")
    with pytest.raises(BundleError, match=r"none of docker, podman, buildah works here\. Install"):
        builders.find()


def test_an_image_is_fetched_once(store: Path) -> None:
    """A base that is there is not asked for again."""
    builder = Builder("podman")
    assert builder.image("base") is None
    found = builder.pull("base")
    assert (found.id, found.labels, found.megabytes) == ("b", {}, 5)
    assert builder.pull("base") == found
    assert [words[0] for words in asked(store)].count("pull") == 1
    with pytest.raises(
        BundleError, match=r"`podman pull` failed:\nfirst line\nno such thing: pull"
    ):
        builder.pull("other")


def test_the_health_check_survives(store: Path) -> None:
    """Podman and Buildah write the OCI format unless told, which drops it."""
    Builder("podman").build(store, ["a:1", "a:latest"], {"BASE": "b"}, {"x": "y z"})
    [words] = asked(store)
    assert words[:3] == ["build", "--format", "docker"]
    assert words[-1] == str(store)
    for option in (["--tag", "a:1"], ["--tag", "a:latest"], ["--build-arg", "BASE=b"]):
        assert " ".join(option) in " ".join(words)
    assert words[words.index("--label") + 1] == "x=y z"


def test_an_image_takes_over_a_name(store: Path) -> None:
    """All three programs have the same words for it."""
    Builder("podman").tag("a:1", "a:latest")
    assert asked(store) == [["tag", "a:1", "a:latest"]]


def test_files_are_taken_out_of_an_image(store: Path, tmp_path: Path) -> None:
    """Those that are there; the container that this takes is removed, whatever happens."""
    into = tmp_path / "taken"
    into.mkdir()
    Builder("podman").take("base", ["/var/lib/dpkg/status", "/usr/local/include"], into)
    assert [path.name for path in into.iterdir()] == ["status"]
    assert asked(store)[-1] == ["rm", "0123abcd"]
