import sys
from importlib.metadata import distributions
from pathlib import Path

import pytest

from roadworthy.container.locked import Locked, install, lock, pinned, wheel_hash
from roadworthy.errors import BundleError

ROOT = Path(__file__).parents[2]
LOCK = """\
# made by hand
numpy==2.4.6 ; python_full_version < '3.12' \\
    --hash=sha256:aa \\
    --hash=sha256:bb
    # via
    #   pandas
numpy==2.5.5 ; python_full_version >= '3.12' \\
    --hash=sha256:cc
PyYAML==6.0.3 \\
    --hash=sha256:dd
"""
WHEEL = "Wheel-Version: 1.0\nTag: cp311-cp311-manylinux_2_28_x86_64\n"


def test_entries_of_a_lock_are_told_apart_by_version() -> None:
    """One package may be there twice, for two versions of Python."""
    found = pinned(LOCK)
    assert set(found) == {("numpy", "2.4.6"), ("numpy", "2.5.5"), ("pyyaml", "6.0.3")}
    assert found["numpy", "2.4.6"].endswith("--hash=sha256:aa --hash=sha256:bb")
    assert "python_full_version < '3.12'" in found["numpy", "2.4.6"]


def test_every_requirement_of_the_service_is_locked() -> None:
    """Whoever adds a package to requirements-serve.txt is told to lock it before anything is built."""
    names = {name for name, _ in pinned((ROOT / "requirements.lock").read_text())}
    lines = (ROOT / "requirements-serve.txt").read_text().splitlines()
    wanted = {line.split("<")[0].split(">")[0] for line in lines if line and line[0] != "#"}
    assert wanted | {"bentoml"} <= names


@pytest.mark.parametrize(
    ("wheels", "expected"),
    [
        ({"thing-1.0-cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl": "aa"}, "aa"),
        ({"thing-1.0-cp312-cp312-manylinux_2_28_x86_64.whl": "aa"}, None),
        ({"thing-2.0-cp311-cp311-manylinux_2_28_x86_64.whl": "aa"}, None),
        ({"other-1.0-cp311-cp311-manylinux_2_28_x86_64.whl": "aa"}, None),
    ],
)
def test_the_wheel_of_an_installed_package_is_found(
    tmp_path: Path, wheels: dict[str, str], expected: str | None
) -> None:
    """The hash in the bill of materials is that of the file that was installed, or none."""
    folder = tmp_path / "thing-1.0.dist-info"
    folder.mkdir()
    (folder / "WHEEL").write_text(WHEEL)
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: thing\nVersion: 1.0\n")
    [installed] = distributions(path=[str(tmp_path)])
    assert wheel_hash(installed, wheels) == expected


def test_without_a_lock_nothing_is_installed(tmp_path: Path) -> None:
    """Started in the wrong folder, it says so."""
    with pytest.raises(BundleError, match=r"requirements\.lock is missing: run this in the proj"):
        lock(ROOT / "requirements-serve.txt", tmp_path / "requirements.lock")


def test_without_uv_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not that a file was not found."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(BundleError, match="uv is missing"):
        install(Locked("", {}), tmp_path)


@pytest.mark.slow
def test_what_is_installed_is_what_is_locked(tmp_path: Path) -> None:
    """The versions that were tested, each wheel known by its hash, nothing that trains."""
    locked = lock(ROOT / "requirements-serve.txt", ROOT / "requirements.lock")
    install(locked, tmp_path)
    known = pinned((ROOT / "requirements.lock").read_text())
    names = set()
    for one in distributions(path=[str(tmp_path)]):
        names.add(one.name.lower())
        line = known[one.name.lower().replace("_", "-").replace(".", "-"), one.version]
        assert str(wheel_hash(one, locked.wheels)) in line
    assert {"bentoml", "onnxruntime", "pillow"} <= names
    assert not names & {"torch", "mlflow", "prefect", "pandas", "pip", "setuptools"}


@pytest.mark.slow
def test_a_changed_package_is_not_installed(tmp_path: Path) -> None:
    """A wheel with another hash than the locked one stops the packaging."""
    wrong = Locked(f"tomli-w==1.2.0 --hash=sha256:{'0' * 64}\n", {})
    with pytest.raises(BundleError, match=r"(?i)hash"):
        install(wrong, tmp_path)
