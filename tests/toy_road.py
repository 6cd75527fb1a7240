"""A small road for flows: real git, real DVC, stages of a few lines; gate, registry and BentoML are
files here, for they have tests of their own.

    folder = make(tmp_path)                    # walked once, committed
    run(folder, home, "--tasks", "car")        # python -m flows.retrain
    news(folder, "car")                        # something to train
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from roadworthy import environment
from roadworthy.layout import STAGES

ROOT = Path(__file__).parents[1]
TASKS = ("police", "car", "brand", "detector")
STEP = """
import os, sys, time, yaml
from pathlib import Path
name = " ".join(sys.argv[1:])
stage, task = (sys.argv[1:] + [""])[:2]
print("RAN", name, flush=True)
if Path("broken").exists() and Path("broken").read_text() == name:
    sys.exit("too many conflicting labels")
if stage == "train":
    # A training that can be taken up again, at one step every 0.2 s where `slow` says so.
    kept = Path("checkpoints", task)
    steps = lambda: int(Path("slow").read_text()) if Path("slow").exists() else 1
    kept.parent.mkdir(exist_ok=True)
    step = int(kept.read_text()) if kept.exists() else 0
    print(f"from step {step}", flush=True)
    Path("pids").mkdir(exist_ok=True)
    Path("pids", str(os.getpid())).touch()
    while step < steps():
        time.sleep(0.2 if steps() > 1 else 0)
        step += 1
        kept.with_suffix(".new").write_text(str(step))
        kept.with_suffix(".new").replace(kept)
        print(f"train {task}: {step}/{steps()} (5/s)", flush=True)
    kept.unlink(missing_ok=True)
out = Path("artifacts", task, stage) if task else Path("artifacts", stage)
out.mkdir(parents=True, exist_ok=True)
news = Path("news", task).read_text() if task else ""
(out / "made.txt").write_text(f"{name} {news}")
if stage == "plan":
    from roadworthy.params import load
    params = load()
    for task in params.tasks:
        (out / f"{task}.yaml").write_text(yaml.safe_dump(params.task(task).as_dict()))
"""
WALK = f"""
import json, pathlib, sys, types
sys.path.insert(0, {str(ROOT)!r})
from roadworthy import environment
environment.apply()
import roadworthy.pipeline
from roadworthy.bundle.format import digest
from roadworthy.serving import store
from roadworthy.tracking import history, registry

ROOM = pathlib.Path("registry")

def champion(task):
    path = ROOM / f"{{task}}.json"
    return types.SimpleNamespace(**json.loads(path.read_text())) if path.exists() else None

def lines(task=None):
    path = ROOM / "history.jsonl"
    found = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return [types.SimpleNamespace(**one) for one in found if task in (None, one["task"])]

def promote(plan):
    print("PROMOTE", plan.name, flush=True)
    made, old = digest(pathlib.Path("artifacts", plan.name, "export")), champion(plan.name)
    before = old.number if old else None
    word = "unchanged" if old and old.digest == made else "promoted"
    number = (before or 0) + (word == "promoted")
    ROOM.mkdir(exist_ok=True)
    if word == "promoted":
        text = json.dumps(dict(number=number, digest=made))
        (ROOM / f"{{plan.name}}.json").write_text(text)
    line = dict(task=plan.name, decision=word, reason="Better.", from_version=before,
                to_version=number, digest=made)
    with (ROOM / "history.jsonl").open("a") as file:
        file.write(json.dumps(line) + "\\n")
    return types.SimpleNamespace(as_dict=lambda: line)

def package(names):
    print("PACKAGE", *names, flush=True)
    index = {{n: {{"version": c.number, "digest": c.digest}} for n in names if (c := champion(n))}}
    version = store.content_version(index)
    for kind, name in (("models", "champions"), ("bentos", "roadworthy-service")):
        place = store.home() / kind / name
        (place / version).mkdir(parents=True, exist_ok=True)
        (place / version / "champions.json").write_text(json.dumps(index))
        (place / version / "bento.yaml").touch()
        (place / "latest").write_text(version)
    return types.SimpleNamespace(tag=f"roadworthy-service:{{version}}", versions={{}}, built=True)

registry.champion, history.read, history.pending = champion, lines, lambda task=None: []
for verb in (promote, package):
    fake = types.SimpleNamespace(**{{verb.__name__: verb, "BENTO": "roadworthy-service"}})
    sys.modules[f"roadworthy.pipeline.{{verb.__name__}}"] = fake
from flows.retrain import main, retrain
if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
"""
SETTINGS = "retrain: {wait_minutes: 0.5, gpu: false}\n"
IGNORED = "artifacts .cache checkpoints pids registry .bentoml .prefect mlruns news slow broken"


def make(folder: Path) -> Path:
    """A project walked once by hand and committed, in which nothing is champion yet."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "params.yaml").write_text((ROOT / "params.yaml").read_text() + "\n" + SETTINGS)
    (folder / "step.py").write_text(STEP)
    (folder / "walk.py").write_text(WALK)
    (folder / "news").mkdir()
    for task in TASKS:
        (folder / "news" / task).write_text("0")
    (folder / "dvc.yaml").write_text(_pipeline())
    (folder / ".gitignore").write_text("".join(f"/{name}\n" for name in IGNORED.split()))
    git(folder, "init", "-q")
    dvc(folder, "init", "-q")
    dvc(folder, "repro")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "A road")
    return folder


def news(folder: Path, task: str, steps: int = 1) -> None:
    """Make the training of a task stale; more than one step takes 0.2 s each."""
    path = folder / "news" / task
    path.write_text(str(int(path.read_text()) + 1))
    (folder / "slow").write_text(str(steps))


def settings(folder: Path, text: str) -> None:
    """Change the section `retrain` of params.yaml, and commit; a comment makes no stage stale."""
    path = folder / "params.yaml"
    path.write_text(path.read_text().replace(SETTINGS, f"retrain: {text}\n"))
    dvc(folder, "commit", "-f", "plan")
    git(folder, "commit", "-q", "-a", "-m", "Settings")


def copied(road: Path, folder: Path) -> Path:
    """A road that is walked already costs no time."""
    shutil.copytree(road, folder, symlinks=True)
    return folder


def variables(home: Path, api: str = "") -> dict[str, str]:
    """What a walk in a stand-in is started with."""
    # An empty PREFECT_API_URL is an address for Prefect, and no server is none.
    plain = {key: value for key, value in os.environ.items() if key != "PREFECT_API_URL"}
    return {
        **plain,
        **environment.SWITCHES,
        "PREFECT_HOME": str(home),
        **({"PREFECT_API_URL": api} if api else {}),
        "COLUMNS": "200",
        "PYTHONPATH": str(ROOT),
    }


def run(
    folder: Path, home: Path, *arguments: str, api: str = ""
) -> "subprocess.CompletedProcess[str]":
    """Walk, as `python -m flows.retrain` does."""
    return subprocess.run(
        [sys.executable, "walk.py", *arguments],
        cwd=folder,
        env=variables(home, api),
        capture_output=True,
        text=True,
        timeout=240,
    )


def promotions(folder: Path) -> list[str]:
    """Tasks that the stand-in of the gate has promoted, in order."""
    path = folder / "registry" / "history.jsonl"
    lines: list[dict[str, Any]] = []
    if path.exists():
        lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [line["task"] for line in lines if line["decision"] == "promoted"]


def git(folder: Path, *arguments: str) -> str:
    """Run git there, as somebody."""
    author = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    done = subprocess.run(
        ["git", *author, *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout


def dvc(folder: Path, *arguments: str) -> None:
    """Run DVC there."""
    command = [sys.executable, "-m", "dvc", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _pipeline() -> str:
    lines, before = ["stages:"], ""
    for stage in STAGES:
        if stage in ("plan", "pretrain"):
            deps = ["params.yaml"] if stage == "plan" else ["artifacts/car/augment"]
            lines += [f"  {stage}:", *_stage("    ", stage, deps, f"artifacts/{stage}")]
            before = before or stage
            continue
        deps = ["artifacts/plan" if before == "plan" else f"artifacts/${{item}}/{before}"]
        deps += ["news/${item}"] if stage in ("train", "evaluate", "export") else []
        lines += [f"  {stage}:", f"    foreach: {json.dumps(TASKS)}", "    do:"]
        lines += _stage("      ", f"{stage} ${{item}}", deps, f"artifacts/${{item}}/{stage}")
        before = stage
    return "\n".join(lines) + "\n"


def _stage(indent: str, words: str, deps: list[str], out: str) -> list[str]:
    return [
        f"{indent}cmd: python step.py {words}",
        f"{indent}deps: {json.dumps(deps)}",
        f"{indent}outs:",
        f"{indent}  - {out}: {{persist: true}}",
    ]
