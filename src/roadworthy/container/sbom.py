"""What is inside the image, as a CycloneDX bill of materials."""

import json
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.parser import Parser
from importlib.metadata import distributions
from pathlib import Path

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from packageurl import PackageURL
from packaging.utils import canonicalize_name

from roadworthy.container.locked import wheel_hash

PREFIX = "roadworthy:"
"""Of the properties that are ours."""
INTERPRETER = re.compile(r'#define PY_VERSION\s+"([^"]+)"')


@dataclass(frozen=True)
class Model:
    """A champion inside the image."""

    task: str
    version: int
    """Number in the registry."""
    digest: str
    """SHA-256 of the bundle in the registry."""
    files: dict[str, str]
    """SHA-256 of each file that is in the image."""


def write(
    path: Path, name: str, version: str, made: datetime, components: Iterable[Component]
) -> None:
    """Write CycloneDX 1.6 JSON; the same content gives the same bytes.

    Args:
        name: of the image.
        version: of the image; the serial number is made of it.
        made: when what is inside was put together.
        components: what is inside.
    """
    serial = uuid.uuid5(uuid.NAMESPACE_OID, f"{name}:{version}")
    bom = Bom(components=components, serial_number=serial)
    bom.metadata.timestamp = made
    bom.metadata.component = Component(
        type=ComponentType.CONTAINER, name=name, version=version, bom_ref=f"{name}:{version}"
    )
    bom.register_dependency(bom.metadata.component, bom.components)
    text = make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string(indent=2)
    path.write_text(text + "\n", encoding="utf-8")


def version(path: Path) -> str | None:
    """The version of the image that a file of `write` lists; None where there is none to read."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["metadata"]["component"]["version"]
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return str(found)


def python_packages(site: Path, wheels: Mapping[str, str]) -> Iterator[Component]:
    """The packages installed in a folder.

    Args:
        wheels: SHA-256 by file name of the wheels that they may have come from.
    """
    licences = LicenseFactory()
    for installed in distributions(path=[str(site)]):
        fields = installed.metadata
        named = "License-Expression" in fields
        purl = PackageURL("pypi", None, canonicalize_name(installed.name), installed.version)
        yield Component(
            type=ComponentType.LIBRARY,
            name=installed.name,
            version=installed.version,
            purl=purl,
            bom_ref=str(purl),
            hashes=_hashes(wheel_hash(installed, wheels)),
            licenses=[licences.make_from_string(fields["License-Expression"])] if named else (),
        )


def os_packages(status: str, release: str) -> Iterator[Component]:
    """The packages of a Debian-like system.

    Args:
        status: text of `/var/lib/dpkg/status`.
        release: text of `/usr/lib/os-release`.
    """
    system = dict(re.findall(r'(?m)^(\w+)="?([^"\n]*)"?$', release))
    vendor = system.get("ID", "debian")
    where = {"distro": f"{vendor}-{system.get('VERSION_ID', 'unknown')}"}
    for block in status.strip().split("\n\n"):
        fields = Parser().parsestr(block, headersonly=True)
        if not fields.get("Status", "").endswith(" installed"):
            continue
        name, version = fields["Package"], fields["Version"]
        purl = PackageURL("deb", vendor, name, version, {"arch": fields["Architecture"], **where})
        yield Component(
            type=ComponentType.LIBRARY, name=name, version=version, purl=purl, bom_ref=str(purl)
        )


def interpreter(header: str) -> Component | None:
    """The Python that was built into the base image.

    Args:
        header: text of `patchlevel.h`.
    """
    found = INTERPRETER.search(header)
    if found is None:
        return None
    purl = PackageURL("generic", None, "python", found[1])
    return Component(
        type=ComponentType.PLATFORM, name="python", version=found[1], purl=purl, bom_ref=str(purl)
    )


def model(one: Model) -> Component:
    """A champion; the hashes of its files are properties."""
    files = [Property(name=f"{PREFIX}file:{name}", value=sha) for name, sha in one.files.items()]
    return Component(
        type=ComponentType.MACHINE_LEARNING_MODEL,
        name=one.task,
        version=str(one.version),
        bom_ref=f"model:{one.task}@{one.version}",
        hashes=_hashes(one.digest),
        properties=files,
    )


def _hashes(sha256: str | None) -> list[HashType]:
    return [HashType(alg=HashAlgorithm.SHA_256, content=sha256)] if sha256 else []
