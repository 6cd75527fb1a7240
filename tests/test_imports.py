"""Who may know whom: the rule of docs/architecture.md, held."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "roadworthy"
LEAVES = {"errors", "environment", "layout", "page", "progress", "params"}
# A room may import itself, the leaves, and these.
KNOWS = {
    "data": set(),
    "models": {"data"},
    "quality": {"data"},
    "evaluation": {"models", "data"},
    "training": {"models", "data", "evaluation.metrics"},
    "detection": {"models", "data"},
    "bundle": {"models", "data", "evaluation", "detection"},
    "scene": {"bundle", "detection", "data", "evaluation"},
    "gate": {"bundle", "evaluation", "data", "detection"},
    "tracking": {"bundle", "evaluation.findings"},
    "tuning": set(),
    "serving": {"bundle", "data", "scene", "detection", "models", "monitoring"},
    "monitoring": {"bundle"},
    "container": set(),
    "scoring": {"bundle", "data"},
}
OWN_ROOM = {
    "great_expectations": "quality",
    "captum": "evaluation",
    "cleanlab": "quality",
    "kagglehub": "data",
    "lightning": "training",
    "litdata": "data",
    "av": "scene",
    "mlflow": "tracking",
    "optuna": "tuning",
    "ray": "scoring",
    "bentoml": "serving",
    "prefect": "flows",
    "supervision": "scene",
}


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def modules() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


@pytest.mark.parametrize("room", sorted(KNOWS))
def test_a_room_knows_only_whom_it_may(room: str) -> None:
    """A cycle between rooms, or a shortcut through the house, begins with one such import."""
    allowed = {f"roadworthy.{name}" for name in KNOWS[room] | LEAVES | {room, "__version__"}}
    for path in (SOURCE / room).rglob("*.py"):
        for name in imports(path):
            if name.startswith("roadworthy."):
                assert any(f"{name}.".startswith(f"{ok}.") for ok in allowed), f"{path}: {name}"


@pytest.mark.parametrize("vendor", sorted(OWN_ROOM))
def test_a_vendor_is_imported_in_its_room_only(vendor: str) -> None:
    """So that it can be replaced in one place, and training runs without a tracker."""
    outside = [
        path.relative_to(SOURCE)
        for path in modules()
        if path.relative_to(SOURCE).parts[0] != OWN_ROOM[vendor]
        and any(f"{name}.".startswith(f"{vendor}.") for name in imports(path))
    ]
    assert not outside


def test_leaves_know_nobody() -> None:
    """Everything stands on them."""
    for leaf in LEAVES:
        for path in (SOURCE / f"{leaf}.py", *(SOURCE / leaf).rglob("*.py")):
            for name in imports(path) if path.is_file() else ():
                if name.startswith("roadworthy."):
                    assert name.split(".")[1] in LEAVES, f"{path}: {name}"


@pytest.mark.parametrize("stage", ["plan", "index", "validate", "split", "prepare"])
def test_data_stages_import_no_torch(stage: str) -> None:
    """They start in a second, and run where no torch is."""
    code = f"import sys, roadworthy.pipeline.{stage}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_command_line_imports_nothing_heavy() -> None:
    """`roadworthy --help` answers at once."""
    code = "import sys, roadworthy.cli; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"torch", "pandas", "mlflow", "pydantic", "dvc"} & set(loaded)


def test_serving_imports_no_torch() -> None:
    """The serving image has none."""
    code = "import sys, roadworthy.serving.app; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
