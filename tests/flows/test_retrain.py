import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from roadworthy.layout import STAGES

ROOT = Path(__file__).parents[2]
# Registry and BentoML have tests of their own; here is only what the flow does with them.
DRIVER = f"""
import sys, types
sys.path.insert(0, {str(ROOT)!r})
import roadworthy.pipeline

def promote(plan):
    print("PROMOTE", plan.name, flush=True)
    made = dict(decision="promoted", reason="Better.", from_version=1, to_version=2)
    return types.SimpleNamespace(as_dict=lambda: {{"task": plan.name, **made}})

def package(names):
    print("PACKAGE", *names, flush=True)
    return types.SimpleNamespace(tag="roadworthy-service:abc", versions={{}}, built=True)

for verb in (promote, package):
    fake = types.SimpleNamespace(**{{verb.__name__: verb}})
    sys.modules[f"roadworthy.pipeline.{{verb.__name__}}"] = fake
from flows.retrain import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def prefect_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Making Prefect's database takes longer than all the rest."""
    return tmp_path_factory.mktemp("prefect")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The tasks of this project; stages only print their name, and fail where `broken` says so."""
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    (tmp_path / "step.py").write_text(
        textwrap.dedent("""
        import pathlib, sys, yaml
        from roadworthy.params import load
        name = " ".join(sys.argv[1:])
        print("RAN", name)
        if pathlib.Path("broken").exists() and pathlib.Path("broken").read_text() == name:
            sys.exit("too many conflicting labels")
        if name == "plan":
            params = load()
            out = pathlib.Path("artifacts/plan")
            out.mkdir(parents=True, exist_ok=True)
            for task in params.tasks:
                text = yaml.safe_dump(params.task(task).as_dict())
                (out / f"{task}.yaml").write_text(text)
        """)
    )
    lines = ["stages:"]
    for stage in STAGES:
        if stage in ("plan", "pretrain"):
            lines += [f"  {stage}: {{cmd: python step.py {stage}, always_changed: true}}"]
        else:
            lines += [f"  {stage}:", "    foreach: [police, car, brand, detector]"]
            lines += [f"    do: {{cmd: 'python step.py {stage} ${{item}}', always_changed: true}}"]
    (tmp_path / "dvc.yaml").write_text("\n".join(lines))
    subprocess.run(
        [sys.executable, "-m", "dvc", "init", "--no-scm", "-q"], cwd=tmp_path, check=True
    )
    return tmp_path


def run(project: Path, prefect_home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "PREFECT_HOME": str(prefect_home),
        "PREFECT_API_URL": "",
        "DVC_NO_ANALYTICS": "1",
        "COLUMNS": "200",
    }
    return subprocess.run(
        [sys.executable, "-c", DRIVER, *arguments],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        timeout=180,
    )


@pytest.mark.slow
def test_the_whole_road_in_order(project: Path, prefect_home: Path) -> None:
    """Every stage, then the gate, then one Bento with all tasks; people get a table."""
    done = run(project, prefect_home, "--tasks", "car", "brand")
    assert done.returncode == 0, done.stdout + done.stderr
    ran = [line.split("RAN ", 1)[1] for line in done.stderr.splitlines() if "RAN " in line]
    words = list(dict.fromkeys(line.split()[0] for line in ran))
    assert words == list(STAGES)
    assert {line.split()[1] for line in ran if " " in line} == {"car", "brand"}
    last = [line for line in done.stdout.splitlines() if line.startswith("P")]
    assert last == ["PROMOTE car", "PROMOTE brand", "PACKAGE police car brand detector"]
    assert "promoted" in done.stdout and "packaged: roadworthy-service:abc" in done.stdout


@pytest.mark.slow
def test_a_failing_stage_ends_the_walk_before_the_gate(project: Path, prefect_home: Path) -> None:
    """Bad data: exit code 1, DVC's words, one try, and the champions stay what they were."""
    (project / "broken").write_text("validate car")
    done = run(project, prefect_home, "--tasks", "car")
    assert done.returncode == 1
    assert "ERROR: validate failed" in done.stderr
    assert "too many conflicting labels" in done.stderr.rsplit("ERROR: validate failed", 1)[1]
    tries = [line for line in done.stderr.splitlines() if line.endswith("- RAN validate car")]
    assert len(tries) == 1
    assert "RAN split" not in done.stderr
    assert "PROMOTE" not in done.stdout and "PACKAGE" not in done.stdout


def test_an_unknown_task_is_named(project: Path, prefect_home: Path) -> None:
    """A typing error costs no training."""
    done = run(project, prefect_home, "--tasks", "cra")
    assert done.returncode == 1
    assert "no task is called 'cra'; params.yaml has police, car, brand, detector" in done.stderr
    assert "RAN" not in done.stderr
