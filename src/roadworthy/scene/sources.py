"""Which pictures and videos are meant, and how what is made of them is called."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from roadworthy.data import images
from roadworthy.errors import DataError
from roadworthy.scene import video


@dataclass(frozen=True)
class Source:
    """One picture or video."""

    path: Path
    name: str
    """Of the annotated one below the folder of results, with slashes."""
    is_video: bool


def sources(given: Sequence[Path], out: Path) -> list[Source]:
    """The files that are named, and those in the folders that are named; pictures first.

    Hidden files, and what lies in `out`, are no sources. Of several folders each has a folder of its
    own name in the results.

    Raises:
        DataError: nothing is there, two results would have one name, or a source would be overwritten.
    """
    if out.exists() and not out.is_dir():
        raise DataError(f"{out} is a file: name a folder with --out")
    several = len(given) > 1
    found = [one for path in given for one in _of(path, out, several)]
    if not found:
        places = ", ".join(map(str, given))
        raise DataError(f"no picture and no video in {places}: name a folder that holds some")
    names: dict[str, Path] = {}
    for one in found:
        if names.setdefault(one.name, one.path) != one.path:
            raise DataError(
                f"{names[one.name]} and {one.path} would both become {out / one.name}: "
                "inspect them one after the other with another --out"
            )
        if (out / one.name).resolve() == one.path.resolve():
            raise DataError(f"{one.path} would be overwritten: choose another folder with --out")
    return sorted({one.path: one for one in found}.values(), key=lambda one: one.is_video)


def _of(path: Path, out: Path, several: bool) -> Iterator[Source]:
    if path.is_dir():
        start = Path(path.resolve().name) if several else Path()
        within = path.resolve() in out.resolve().parents
        for file in sorted(path.rglob("*")):
            inner = file.relative_to(path)
            earlier = within and out.resolve() in file.resolve().parents
            if _is_source(file, inner) and not earlier:
                yield _source(file, start / inner)
    elif path.exists():
        yield _source(path, Path(path.name))
    else:
        raise DataError(f"{path} is not there: name a picture, a video or a folder")


def _is_source(file: Path, inner: Path) -> bool:
    known = file.suffix.lower() in images.SUFFIXES | video.SUFFIXES
    return known and not any(part.startswith(".") for part in inner.parts) and file.is_file()


def _source(path: Path, inner: Path) -> Source:
    name, suffix = inner.as_posix(), path.suffix.lower()
    is_video = suffix in video.SUFFIXES
    if is_video:
        name += "" if suffix == ".mp4" else ".mp4"
    elif suffix not in images.SUFFIXES:
        name += ".png"
    return Source(path, name, is_video)
