"""`package --container`: the Bento becomes an image, beside it the list of what is inside."""

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

from cyclonedx.model.component import Component

from roadworthy import __version__
from roadworthy.container import builders, context, sbom
from roadworthy.container.builders import Builder, Image
from roadworthy.container.context import SBOM, SITE, Sources
from roadworthy.container.locked import PYTHON, Locked, install, lock
from roadworthy.errors import BundleError
from roadworthy.layout import ARTIFACTS, replacing
from roadworthy.pipeline.package import BENTO, PackageResult
from roadworthy.serving.champions import read_index
from roadworthy.serving.store import MODEL, content_version, home

NAME = "roadworthy"
BASE = f"python:{PYTHON}-slim"
OUT = ARTIFACTS / "package"
CONTENT = "roadworthy.content"
"""Label of an image: what it is made of."""
DPKG, RELEASE, HEADERS = "/var/lib/dpkg/status", "/usr/lib/os-release", "/usr/local/include"


@dataclass(frozen=True)
class ContainerResult:
    """An image in the builder's store."""

    name: str
    megabytes: int
    """Uncompressed."""
    builder: str
    built: bool
    """False: it was there already."""
    sbom: Path
    """What is inside, CycloneDX JSON."""


def containerize(
    packaged: PackageResult,
    tag: str = "",
    base: str = BASE,
    builder: builders.Name = "auto",
    out: Path = OUT,
) -> ContainerResult:
    """Build the image of a Bento; the same Bento, packages and base are not built twice.

    Args:
        packaged: what `package` made.
        tag: name of the image; else `roadworthy:CONTENT`, and `roadworthy:latest` too.
        base: image to build on: Debian or Ubuntu with Python 3.11.
        builder: program to build with.
        out: where the bill of materials and the build's folder are left.

    Raises:
        BundleError: no builder works, the base or a package cannot be had, or the build fails.
    """
    chosen = builders.find(builder)
    foundation = chosen.pull(base)
    locked = lock()
    content = content_version([packaged.tag, context.recipe(), locked.requirements, foundation.id])
    name = tag or f"{NAME}:{content}"
    image = chosen.image(name)
    built = image is None or image.labels.get(CONTENT) != content
    out.mkdir(parents=True, exist_ok=True)
    if built:
        labels = {**_labels(packaged, base), CONTENT: content}
        tags = [tag] if tag else [name, f"{NAME}:latest"]
        image = _build(chosen, packaged, locked, base, tags, labels, out)
    else:
        if not tag:
            # Another champion may have had it since.
            chosen.tag(name, f"{NAME}:latest")
        if sbom.version(out / SBOM) != content:
            _take_bill(chosen, name, out / SBOM)
    if image is None:
        raise BundleError(f"{chosen.program} built {name} and does not know it")
    return ContainerResult(name, image.megabytes, chosen.program, built, out / SBOM)


def _build(
    builder: Builder,
    packaged: PackageResult,
    locked: Locked,
    base: str,
    tags: list[str],
    labels: dict[str, str],
    out: Path,
) -> Image | None:
    sources = Sources(
        home() / "bentos" / BENTO / packaged.tag.partition(":")[2],
        home() / "models" / MODEL / packaged.model.partition(":")[2],
    )
    with replacing(out / "context") as folder:
        context.fill(folder, sources)
        install(locked, folder / SITE)
        context.without_tests(folder / SITE)
        components = [
            *sbom.python_packages(folder / SITE, locked.wheels),
            *map(sbom.model, _models(sources.model)),
            *_system(builder, base),
        ]
        sbom.write(folder / SBOM, NAME, labels[CONTENT], sources.made, components)
        context.open_to_all(folder)
        builder.build(folder, tags, {"BASE": base}, labels)
    (out / SBOM).write_bytes((out / "context" / SBOM).read_bytes())
    return builder.image(tags[0])


def _take_bill(builder: Builder, image: str, path: Path) -> None:
    """Copy the bill of materials that is in an image."""
    with tempfile.TemporaryDirectory() as name:
        builder.take(image, [f"/app/{SBOM}"], Path(name))
        taken = Path(name) / SBOM
        if not taken.is_file():
            raise BundleError(f"the image {image} has no /app/{SBOM}: delete it, and package again")
        path.write_bytes(taken.read_bytes())


def _system(builder: Builder, base: str) -> list[Component]:
    """What the base image brings."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        builder.take(base, [DPKG, RELEASE, HEADERS], folder)
        header = next(folder.glob("**/patchlevel.h"), None)
        texts = [
            path.read_text(encoding="utf-8") if path and path.is_file() else ""
            for path in (folder / "status", folder / "os-release", header)
        ]
    python = sbom.interpreter(texts[2])
    return [*sbom.os_packages(texts[0], texts[1]), *([python] if python else [])]


def _models(folder: Path) -> list[sbom.Model]:
    return [
        sbom.Model(task, one.version, one.digest, one.files)
        for task, one in read_index(folder).items()
    ]


def _labels(packaged: PackageResult, base: str) -> dict[str, str]:
    from roadworthy.tracking import lineage

    code = lineage.collect("", None)
    revision = (code.git_commit or "unknown") + ("-dirty" if code.git_dirty else "")
    return {
        "org.opencontainers.image.title": NAME,
        "org.opencontainers.image.description": "Car-image classifiers that passed the gate",
        "org.opencontainers.image.version": __version__,
        "org.opencontainers.image.revision": revision,
        "org.opencontainers.image.base.name": base,
        "roadworthy.bento": packaged.tag,
        "roadworthy.models": json.dumps(packaged.versions, sort_keys=True),
    }
