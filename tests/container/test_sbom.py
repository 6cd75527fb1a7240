import json
from datetime import UTC, datetime
from pathlib import Path

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from roadworthy.container import sbom

STATUS = """\
Package: libc6
Status: install ok installed
Architecture: amd64
Version: 2.36-9+deb12u10
Description: GNU C Library
 Shared libraries, over
 two lines

Package: gone
Status: deinstall ok config-files
Architecture: all
Version: 1.0
"""
RELEASE = 'PRETTY_NAME="Debian GNU/Linux 12"\nID=debian\nVERSION_ID="12"\n'
METADATA = (
    "Metadata-Version: 2.4\nName: A.Thing\nVersion: 1.0\nLicense-Expression: MIT OR Apache-2.0\n"
)
MADE = datetime(2026, 11, 1, tzinfo=UTC)


def parts(folder: Path) -> list[object]:
    info = folder / "a_thing-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(METADATA)
    (info / "WHEEL").write_text("Tag: py3-none-any\n")
    python = sbom.interpreter('#define PY_VERSION      \t"3.11.9"\n')
    return [
        *sbom.python_packages(folder, {"a_thing-1.0-py3-none-any.whl": "a" * 64}),
        *sbom.os_packages(STATUS, RELEASE),
        sbom.model(sbom.Model("car", 3, "b" * 64, {"model.onnx": "c" * 64})),
        python,
    ]


def test_the_bill_is_valid_and_the_same_for_the_same(tmp_path: Path) -> None:
    """Scanners read it; two builds of one content do not differ in it."""
    components = parts(tmp_path / "site")
    sbom.write(tmp_path / "one.json", "roadworthy", "abc", MADE, components)  # type: ignore[arg-type]
    sbom.write(tmp_path / "two.json", "roadworthy", "abc", MADE, components[::-1])  # type: ignore[arg-type]
    text = (tmp_path / "one.json").read_text()
    assert (tmp_path / "two.json").read_text() == text
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    assert json.loads(text)["metadata"]["component"]["type"] == "container"


def test_each_part_is_named_as_scanners_name_it(tmp_path: Path) -> None:
    """Package URLs, licences, hashes; what is not installed any more is left out."""
    sbom.write(tmp_path / "bill.json", "x", "1", MADE, parts(tmp_path / "site"))  # type: ignore[arg-type]
    found = {
        one["name"]: one for one in json.loads((tmp_path / "bill.json").read_text())["components"]
    }
    assert set(found) == {"A.Thing", "libc6", "car", "python"}
    assert found["A.Thing"]["purl"] == "pkg:pypi/a-thing@1.0"
    assert found["A.Thing"]["hashes"] == [{"alg": "SHA-256", "content": "a" * 64}]
    assert found["A.Thing"]["licenses"] == [{"expression": "MIT OR Apache-2.0"}]
    assert found["libc6"]["purl"].startswith("pkg:deb/debian/libc6@2.36-9%2Bdeb12u10?arch=amd64")
    assert found["car"]["type"] == "machine-learning-model"
    assert {"name": "roadworthy:file:model.onnx", "value": "c" * 64} in found["car"]["properties"]
    assert found["python"]["version"] == "3.11.9"


def test_a_header_of_something_else_is_no_interpreter() -> None:
    """A base whose Python is a package of the system lists it there."""
    assert sbom.interpreter("") is None


def test_a_bill_says_which_image_it_is_of(tmp_path: Path) -> None:
    """What is no bill is of none."""
    path = tmp_path / "sbom.cdx.json"
    assert sbom.version(path) is None
    sbom.write(path, "roadworthy", "abc", MADE, [])
    assert sbom.version(path) == "abc"
    for other in ("", "[1]", "{}", '{"metadata": null}'):
        path.write_text(other)
        assert sbom.version(path) is None
