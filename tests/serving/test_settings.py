import re
from pathlib import Path

import pytest

from roadworthy.errors import ParamsError
from roadworthy.serving.settings import PREFIX, Settings, read

HOWTO = Path(__file__).parents[2] / "docs" / "how-to" / "serve.md"


def test_the_how_to_names_every_setting_and_no_other() -> None:
    """What an operator can set is found in one table."""
    table = HOWTO.read_text().split("## Settings")[1]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    told = [name for row in rows for name in re.findall(r"`([A-Z_]+)`", row)]
    assert told == [name.upper() for name in Settings.model_fields]


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists as JSON, keys hidden wherever settings are printed."""
    monkeypatch.setenv("ROADWORTHY_API_KEYS", '["one", "two", "one"]')
    monkeypatch.setenv("ROADWORTHY_URL_NETWORKS", '["10.1.0.0/16"]')
    monkeypatch.setenv("ROADWORTHY_BATCH", "4")
    found = read()
    assert [key.get_secret_value() for key in found.api_keys] == ["one", "two"]
    assert str(found.url_networks[0]) == "10.1.0.0/16"
    assert found.batch == 4
    assert "'two'" not in repr(found)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BATCH", "0"),
        ("ENGINE", "magic"),
        ("API_KEYS", "one,two"),
        ("SHADOW", "2"),
        ("URL_NETWORKS", '["10.1.0.1/16"]'),
        ("LOG_IMAGES", "perhaps"),
    ],
)
def test_a_setting_that_cannot_be_used_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """The message names the variable; nobody finds out in production that a limit was ignored."""
    monkeypatch.setenv(f"{PREFIX}{name}", value)
    with pytest.raises(ParamsError, match=name):
        read()


@pytest.mark.parametrize(
    ("lanes", "threads", "expected"),
    [
        (None, None, (8, 1)),
        (2, None, (2, 4)),
        (None, 4, (2, 4)),
        (3, 1, (3, 1)),
        (16, None, (16, 1)),
    ],
)
def test_lanes_and_threads_share_the_cores(
    lanes: int | None, threads: int | None, expected: tuple[int, int]
) -> None:
    """Whichever is left out follows from the other; both as they are where both are set."""
    assert Settings(lanes=lanes, threads=threads).shared(8) == expected


def test_a_misspelt_setting_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit with a slip in its name is no limit."""
    monkeypatch.setenv("ROADWORTHY_PORT", "tcp://10.0.0.1:3000")  # as Kubernetes does
    read()
    monkeypatch.setenv("ROADWORTHY_RATES", "60")
    with pytest.raises(ParamsError, match=r"ROADWORTHY_RATES.*ROADWORTHY_RATE"):
        read()
