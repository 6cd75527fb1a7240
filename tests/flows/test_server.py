import pytest
from prefect.settings import Settings

from flows import server


def test_page_and_server_agree_on_the_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the option of `prefect server start` alone the page is empty."""
    monkeypatch.setenv("PREFECT_SERVER_API_PORT", "1")
    given = server.settings("127.0.0.1", 4300)
    assert given["PREFECT_SERVER_API_PORT"] == "4300"
    assert given["PREFECT_API_URL"] == "http://127.0.0.1:4300/api"


def test_leases_survive_a_restart_unless_people_say_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What Prefect calls the setting, and a store of one's own."""
    for name, value in server.LEASES.items():
        monkeypatch.setenv(name, value)
        assert Settings().server.concurrency.lease_storage == value
        monkeypatch.setenv(name, "a.store.of.ours")
        assert server.settings("h", 1)[name] == "a.store.of.ours"
