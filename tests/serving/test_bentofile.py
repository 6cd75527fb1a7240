import ast
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]


def test_what_is_included_imports_nothing_that_is_not() -> None:
    """Whoever adds an import to a file that is served is told to add the file to bentofile.yaml."""
    included = yaml.safe_load((ROOT / "bentofile.yaml").read_text())["include"]
    files = [path for pattern in included for path in ROOT.glob(pattern) if path.suffix == ".py"]
    shipped = {str(path.relative_to(ROOT / "src")) for path in files}
    missing = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in files
        for name in _imports(path)
        if not {f"{name.replace('.', '/')}.py", f"{name.replace('.', '/')}/__init__.py"} & shipped
    }
    assert not missing


def test_every_pattern_finds_a_file() -> None:
    """BentoML says nothing about a file that was renamed."""
    included = yaml.safe_load((ROOT / "bentofile.yaml").read_text())["include"]
    built = {"web/dist/**"}  # by `make web`, where there is Node
    assert not [one for one in set(included) - built if not list(ROOT.glob(one))]


@pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")
def test_a_bento_holds_no_other() -> None:
    """A pattern without a slash is looked for everywhere, also in the Bentos that were built before."""
    from bentoml._internal.bento.build_config import BentoPathSpec

    settings = yaml.safe_load((ROOT / "bentofile.yaml").read_text())
    spec = BentoPathSpec(settings["include"], settings["exclude"])
    assert spec.includes("./requirements-serve.txt")
    assert not spec.includes(".bentoml/bentos/roadworthy-service/1/src/requirements-serve.txt")


def _imports(path: Path) -> set[str]:
    """Modules of ours that are imported when the file is; an import in a function may stay away."""
    found = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("roadworthy"):
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                is_module = (ROOT / "src" / f"{inner.replace('.', '/')}.py").is_file()
                found.add(inner if is_module else str(node.module))
    return found
