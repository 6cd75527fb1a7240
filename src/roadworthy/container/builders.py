"""The program that builds images: Docker, Podman or Buildah, whichever is there."""

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from roadworthy.errors import BundleError

Name = Literal["auto", "docker", "podman", "buildah"]
PROGRAMS = tuple(name for name in get_args(Name) if name != "auto")
SECONDS = 1800
# One stage takes files out of an image without starting anything in it.
TAKE = "ARG BASE\nFROM ${{BASE}} AS base\nFROM scratch\nCOPY --from=base {paths} /\n"


@dataclass(frozen=True)
class Image:
    """An image in the builder's store."""

    id: str
    labels: dict[str, str]
    megabytes: int
    """Uncompressed, of a million bytes."""


@dataclass(frozen=True)
class Builder:
    """One of `PROGRAMS`, known to work here."""

    program: str

    def image(self, name: str) -> Image | None:
        """The image of that name in the local store."""
        buildah = self.program == "buildah"
        how = ("inspect", "--type", "image") if buildah else ("image", "inspect")
        try:
            found = json.loads(self._run(*how, name))
        except BundleError:
            return None
        if buildah:
            return Image(found["FromImageID"], _labels(found["OCIv1"]), self._size(name))
        return Image(found[0]["Id"], _labels(found[0], "Config"), round(found[0]["Size"] / 1e6))

    def pull(self, name: str) -> Image:
        """The image of that name, fetched where it is not there yet.

        Raises:
            BundleError: it cannot be fetched.
        """
        if self.image(name) is None:
            self._run("pull", name)
        found = self.image(name)
        if found is None:
            raise BundleError(f"{self.program} does not know the image {name}")
        return found

    def build(
        self,
        folder: Path,
        tags: Sequence[str],
        arguments: Mapping[str, str],
        labels: Mapping[str, str],
    ) -> None:
        """Build `folder/Containerfile`.

        Raises:
            BundleError: the program fails; with its last lines.
        """
        options = [word for tag in tags for word in ("--tag", tag)]
        options += [word for item in arguments.items() for word in ("--build-arg", "=".join(item))]
        options += [word for item in labels.items() for word in ("--label", "=".join(item))]
        # The OCI format knows no health check.
        form = () if self.program == "docker" else ("--format", "docker")
        file = ("--file", str(folder / "Containerfile"))
        self._run("build", *form, *file, *options, str(folder))

    def tag(self, image: str, name: str) -> None:
        """Give an image of the local store one more name, which another may have had.

        Raises:
            BundleError: the program fails.
        """
        self._run("tag", image, name)

    def take(self, image: str, paths: Sequence[str], into: Path) -> None:
        """Copy files or folders of an image into an empty folder, those that are there.

        Raises:
            BundleError: the program fails.
        """
        if self.program == "buildah":
            return self._take_by_building(image, paths, into)
        container = self._run("create", image, "true").split()[-1]
        try:
            for path in paths:
                # A path may be missing, which is no error.
                self._try("cp", f"{container}:{path}", str(into / Path(path).name))
        finally:
            self._run("rm", container)

    def _take_by_building(self, image: str, paths: Sequence[str], into: Path) -> None:
        recipe = into / "Containerfile"
        # As a pattern a name may be missing.
        patterns = " ".join(f"{path[:-1]}[{path[-1]}]" for path in paths)
        recipe.write_text(TAKE.format(paths=patterns), encoding="utf-8")
        out = ("--output", f"type=local,dest={into}")
        self._run("build", "--build-arg", f"BASE={image}", *out, "--file", str(recipe), str(into))
        recipe.unlink()

    def _size(self, name: str) -> int:
        """Buildah says only what it would say to a person, as `431 MB`."""
        number, unit = self._run("images", "--format", "{{.Size}}", name).split()[:2]
        return round(float(number) * {"KB": 1e-3, "MB": 1, "GB": 1e3}.get(unit, 1e-6))

    def _run(self, *arguments: str) -> str:
        done = self._try(*arguments)
        if done.returncode:
            last = "\n".join(done.stderr.strip().splitlines()[-8:])
            raise BundleError(f"`{self.program} {arguments[0]}` failed:\n{last}")
        return done.stdout

    def _try(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [self.program, *arguments]
        try:
            return subprocess.run(
                command, capture_output=True, text=True, timeout=SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            raise BundleError(f"`{' '.join(command[:2])}` took over {SECONDS} s") from None


def find(name: Name = "auto") -> Builder:
    """The builder of that name, or the first that works.

    Raises:
        BundleError: there is none.
    """
    wanted = PROGRAMS if name == "auto" else (name,)
    for program in wanted:
        if _works(program):
            return Builder(program)
    raise BundleError(
        f"no image can be built: none of {', '.join(wanted)} works here. Install one "
        "(`apt-get install buildah`), or start Docker"
    )


def _works(program: str) -> bool:
    if shutil.which(program) is None:
        return False
    # Docker's program may be there without its daemon.
    command = [program, "info" if program == "docker" else "--version"]
    try:
        return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def _labels(inspected: Mapping[str, Any], key: str = "config") -> dict[str, str]:
    return dict(inspected.get(key, {}).get("Labels") or {})
