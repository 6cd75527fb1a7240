import json
import sys
from pathlib import Path

import pytest
from flows.rollout import RolloutError, newest, roll_out, waiting


@pytest.fixture(autouse=True)
def bento(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store in which one Bento was built."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path / "home"))
    store = tmp_path / "home" / "bentos" / "roadworthy-service"
    (store / "abc").mkdir(parents=True)
    (store / "abc" / "bento.yaml").touch()
    (store / "latest").write_text("abc")
    return store


def test_the_command_gets_the_tag_and_is_remembered() -> None:
    """Word by word: no shell looks at it. What was rolled out does not wait any more."""
    tag = newest()
    assert tag == "roadworthy-service:abc" == waiting()
    code = "import json, sys; json.dump(sys.argv[1:], open('told', 'w')); print('serving')"
    lines: list[str] = []
    command = [sys.executable, "-c", code, "{tag}", "as {tag}; rm -rf x"]
    roll_out(command, tag, 1, lines.append)
    assert json.loads(Path("told").read_text()) == [tag, f"as {tag}; rm -rf x"]
    assert lines == ["serving"] and waiting() is None


def test_a_newer_bento_waits(bento: Path) -> None:
    """Also after an older one."""
    roll_out(["true"], "roadworthy-service:abc", 1, print)
    (bento / "latest").write_text("def")
    assert waiting() is None, "it is not built"
    (bento / "def").mkdir()
    (bento / "def" / "bento.yaml").touch()
    assert waiting() == "roadworthy-service:def"


@pytest.mark.parametrize(
    ("command", "minutes", "words"),
    [
        (["sh", "-c", "echo no host >&2; exit 4"], 1, r"sh ended with 4(.|\n)*no host"),
        (["sleep", "600"], 0.02, r"did not end within 0\.02 minutes"),
        (["no-such-command"], 1, "no-such-command ended with"),
    ],
)
def test_a_failure_is_said_and_tried_again(command: list[str], minutes: float, words: str) -> None:
    """The champions are what was decided; the next walk finds the Bento waiting."""
    with pytest.raises(RolloutError, match=words):
        roll_out(command, "roadworthy-service:abc", minutes, print)
    assert waiting() == "roadworthy-service:abc"
