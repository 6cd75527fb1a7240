"""The Python packages of the image: the tested versions of `requirements.lock`, and no others."""

import os
import platform
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.tags import Tag, parse_tag
from packaging.utils import canonicalize_name, parse_wheel_filename

from roadworthy.errors import BundleError

SERVE = Path("requirements-serve.txt")
LOCK = Path("requirements.lock")
PYTHON = "3.11"
"""Of the base image."""
MACHINES = {"arm64": "aarch64", "amd64": "x86_64"}
SECONDS = 600


@dataclass(frozen=True)
class Locked:
    """What gets installed."""

    requirements: str
    """Lines of `requirements.lock`, with hashes."""
    wheels: dict[str, str]
    """SHA-256 by the file name of every wheel that could be meant."""


def target() -> str:
    """The platform of an image built here, as uv names it: glibc of Debian 10 and later."""
    machine = platform.machine().lower()
    return f"{MACHINES.get(machine, machine)}-manylinux_2_28"


def lock(serve: Path = SERVE, locked: Path = LOCK) -> Locked:
    """The part of `requirements.lock` that `requirements-serve.txt` and BentoML need.

    uv resolves; from its cache where the index cannot be reached.

    Raises:
        BundleError: a file is missing, uv fails, or something needed is not in the lock.
    """
    for path in (serve, locked):
        if not path.is_file():
            raise BundleError(f"{path} is missing: run this in the project's folder")
    known = pinned(locked.read_text(encoding="utf-8"))
    packages = _resolve(serve, locked)
    lines = []
    for package in packages:
        name = canonicalize_name(package["name"])
        line = known.get((name, package["version"]))
        if line is None:
            raise BundleError(
                f"{name} {package['version']} is needed for serving and not in {locked}: `make lock`"
            )
        lines.append(line)
    wheels = [wheel for package in packages for wheel in package.get("wheels", ())]
    return Locked("\n".join(lines) + "\n", {_name(one): one["hashes"]["sha256"] for one in wheels})


def pinned(text: str) -> dict[tuple[str, str], str]:
    """The entries of a lock file, each a line with its hashes, by name and version."""
    entries = {}
    for line in re.sub(r"\\\n\s*", "", re.sub(r"(?m)^\s*#.*\n?", "", text)).splitlines():
        requirement = Requirement(line.partition(" --hash")[0])
        version = str(requirement.specifier).removeprefix("==")
        entries[str(canonicalize_name(requirement.name)), version] = line
    return entries


def install(locked: Locked, folder: Path) -> None:
    """Install into an empty folder, whatever system this is: wheels only, each hash checked.

    Raises:
        BundleError: uv fails.
    """
    given = ("--target", str(folder), "--python-version", PYTHON, "--python-platform", target())
    how = ("--only-binary", ":all:", "--no-deps", "--require-hashes", "--link-mode", "copy")
    _uv("pip", "install", *given, *how, "--requirements", "-", words=locked.requirements)


def wheel_hash(installed: Distribution, wheels: Mapping[str, str]) -> str | None:
    """SHA-256 of the wheel that an installed package came from; None where that is not clear."""
    tags = {
        tag
        for line in (installed.read_text("WHEEL") or "").splitlines()
        if line.startswith("Tag:")
        for tag in parse_tag(line.removeprefix("Tag:").strip())
    }
    found = {digest for name, digest in wheels.items() if _fits(name, installed, tags)}
    return found.pop() if len(found) == 1 else None


def _fits(filename: str, installed: Distribution, tags: set[Tag]) -> bool:
    name, version, _, theirs = parse_wheel_filename(filename)
    same = name == canonicalize_name(installed.name) and str(version) == installed.version
    return same and bool(tags) and tags <= theirs


def _resolve(serve: Path, locked: Path) -> list[dict[str, Any]]:
    command = ["pip", "compile", str(serve), "-", "--constraints", str(locked)]
    command += ["--python-version", PYTHON, "--python-platform", target()]
    command += ["--format", "pylock.toml", "--no-header", "--quiet"]
    try:
        text = _uv(*command, words="bentoml\n")
    except BundleError:
        text = _uv(*command, "--offline", words="bentoml\n")
    packages: list[dict[str, Any]] = tomllib.loads(text)["packages"]
    return packages


def _name(wheel: Mapping[str, str]) -> str:
    """File name of a wheel in a `pylock.toml`."""
    place = wheel.get("name") or wheel.get("url") or wheel["path"]
    return place.rpartition("/")[2]


def _uv(*arguments: str, words: str) -> str:
    places = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    program = shutil.which("uv", path=places)
    if program is None:
        raise BundleError("uv is missing: `pip install uv`")
    try:
        return subprocess.run(
            [program, *arguments],
            input=words,
            capture_output=True,
            check=True,
            text=True,
            timeout=SECONDS,
        ).stdout
    except subprocess.CalledProcessError as failed:
        last = "\n".join(failed.stderr.strip().splitlines()[-8:])
        raise BundleError(f"the service's packages cannot be had:\n{last}") from None
    except subprocess.TimeoutExpired:
        raise BundleError(f"getting the service's packages took over {SECONDS} s") from None
