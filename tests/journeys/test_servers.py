"""The whole road of two machines on shared servers: MLflow, Prefect and DVC's remote, all real."""

import json
import shutil
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from cluster import IMAGES, MODELS, Cluster, cluster
from object_store import keys
from postgres import Postgres, postgres_server  # noqa: F401
from small_road import SMALL, begin, commit, lay, merged, runner
from support import Run

# The walk takes two minutes.
pytestmark = pytest.mark.slow
TASK = "car"
LITTLE = {"input": {"height": 32, "width": 32}, "pretrain": {"tasks": [TASK]}}
BUNDLES = Path(".cache/bundles")


@dataclass(frozen=True)
class Team:
    """Two machines that share nothing but git and the servers."""

    servers: Cluster
    folder: Path
    one: Run
    two: Run

    def image(self) -> str:
        """One that the second machine has."""
        return str(next((self.folder / "two/data/car").rglob("*.jpg")))


@pytest.fixture(scope="module")
def team(
    postgres_server: Postgres,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Team]:
    """The first machine has walked the road with Prefect; the second has nothing but a clone."""
    folder = tmp_path_factory.mktemp("team")
    with cluster(postgres_server, folder / "servers") as servers:
        origin = shared_project(servers, folder)
        one = servers.machine(folder / "one", origin)
        one("roadworthy", "setup")
        one("python", "-m", "flows.retrain", "--tasks", TASK)
        share(one, "walked")
        yield Team(servers, folder, one, servers.machine(folder / "two", origin))


def shared_project(servers: Cluster, folder: Path) -> Path:
    """A git repository of one task, whose images lie in the store."""
    seed = folder / "seed"
    lay(seed, merged(SMALL, LITTLE))
    only(seed)
    run = runner(seed, **servers.variables)
    begin(run)
    run("roadworthy", "setup")
    run("dvc", "remote", "add", "-d", "store", f"s3://{IMAGES}/roadworthy")
    run("dvc", "remote", "modify", "store", "endpointurl", servers.store)
    run("dvc", "push")
    commit(run, "begun")
    run("git", "clone", "-q", "--bare", ".", str(folder / "origin"))
    return folder / "origin"


def only(folder: Path) -> None:
    """Leave out the other tasks, as a person does who has one of their own."""
    settings = yaml.safe_load((folder / "params.yaml").read_text())
    settings["tasks"] = {TASK: settings["tasks"][TASK]}
    (folder / "params.yaml").write_text(yaml.safe_dump(settings, sort_keys=False))
    road = yaml.safe_load((folder / "dvc.yaml").read_text())
    deps = road["stages"]["pretrain"]["deps"]
    others = [f"artifacts/{name}/prepare" for name in ("police", "brand")]
    road["stages"]["pretrain"]["deps"] = [one for one in deps if one not in others]
    (folder / "dvc.yaml").write_text(yaml.safe_dump(road, sort_keys=False))


def share(run: Run, message: str) -> None:
    """Give the others what was made here."""
    commit(run, message)
    run("dvc", "push")
    run("git", "push", "-q", "origin", "main")


def ask(address: str, **question: Any) -> Any:
    """Prefect's answer."""
    request = urllib.request.Request(
        address, json.dumps(question).encode(), {"Content-Type": "application/json"}
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=30) as answer:
        return json.load(answer)


def rows(address: str, question: str) -> int:
    """A count, asked of the database itself."""
    plain = address.replace("+psycopg", "")
    with psycopg.connect(plain) as connection:
        [number] = connection.execute(question).fetchone() or (0,)
    return int(number)


def predicted(run: Run, image: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        run("roadworthy", "predict", "--task", TASK, "--json", image).stdout
    )
    return found


def test_what_the_walk_left_lies_on_the_servers(team: Team) -> None:
    """The walk in Prefect, runs and versions in PostgreSQL, the bundle and the images in S3."""
    flows = ask(f"{team.servers.prefect}/flow_runs/filter")
    assert "COMPLETED" in {flow["state_type"] for flow in flows}
    assert not any(flow["state_type"] in ("RUNNING", "PENDING") for flow in flows)
    assert rows(team.servers.prefect_database, "SELECT count(*) FROM task_run") > 10
    assert rows(team.servers.database, "SELECT count(*) FROM model_versions") == 1
    stored = keys(team.servers.store, MODELS)
    assert any(name.endswith("artifacts/bundle/weights.safetensors") for name in stored)
    assert len(keys(team.servers.store, IMAGES)) > 100
    assert not (team.folder / "one/mlruns").exists(), "something was tracked on the machine"


def test_a_second_machine_has_it_all(team: Team) -> None:
    """Pulled, nothing is stale; the same registry, and a champion that comes from the store."""
    team.two("dvc", "pull")
    assert "up to date" in team.two("dvc", "status").stdout
    assert team.two("git", "status", "--porcelain").stdout == ""
    assert "promoted" in team.two("roadworthy", "history").stdout
    answer = predicted(team.two, team.image())
    assert answer["model"] == f"{TASK}/1"
    [fetched] = [path for path in (team.folder / "two" / BUNDLES).iterdir() if path.is_dir()]
    assert answer == predicted(team.two, team.image()), "the copy answers otherwise"
    assert answer == predicted(team.one, team.image())
    shutil.rmtree(fetched)
    assert team.two("roadworthy", "promote").stdout.startswith(f"{TASK}: unchanged")


def test_a_champion_of_the_second_machine_is_taken_back_on_the_first(team: Team) -> None:
    """Trained there, judged there, rolled back here; the history replays to what the registry says."""
    settings = team.folder / "two/params.yaml"
    settings.write_text(settings.read_text().replace("lr: 0.002", "lr: 0.003"))
    commit(team.two, "faster")
    team.two("dvc", "repro")
    share(team.two, "walked again")
    team.two("roadworthy", "promote", "--task", TASK, "--force", "a test of the way")
    assert predicted(team.one, team.image())["model"] == f"{TASK}/2"
    team.one("git", "pull", "-q")
    team.one("dvc", "pull")
    assert "up to date" in team.one("dvc", "status").stdout

    team.one("roadworthy", "rollback", "--task", TASK, "--reason", "worse at night")
    assert predicted(team.two, team.image())["model"] == f"{TASK}/1"
    said = team.two(
        "python",
        "-c",
        "from roadworthy.tracking import history, registry\n"
        "from roadworthy.tracking.replay import replay\n"
        f"decisions = history.read('{TASK}')\n"
        f"assert not history.pending('{TASK}')\n"
        f"print(replay(decisions).champion, registry.aliases('{TASK}')['champion'])\n"
        "print(*(one.decision for one in decisions))\n",
    ).stdout.split("\n")
    assert said[0] == "1 1"
    assert said[1].endswith("rolled_back")


def test_pools_of_containers_take_the_same_deployments(team: Team) -> None:
    """One prefect.yaml: the kind of its pool says where a walk runs, and where the project lies there."""
    for pool, kind in (("roadworthy", "docker"), ("cluster", "kubernetes")):
        made_from = ("--base-job-template", f"deploy/prefect/{kind}.json")
        team.one("prefect", "work-pool", "create", pool, "--type", kind, *made_from)
    team.one("prefect", "--no-prompt", "deploy", "--all", PWD="/project")
    pools = {one["name"]: one for one in ask(f"{team.servers.prefect}/work_pools/filter")}
    for pool, kind in (("roadworthy", "docker"), ("cluster", "kubernetes")):
        template = json.loads((team.folder / f"one/deploy/prefect/{kind}.json").read_text())
        assert pools[pool]["type"] == kind
        assert pools[pool]["base_job_template"] == template
    deployments = ask(f"{team.servers.prefect}/deployments/filter")
    assert deployments and {one["work_pool_name"] for one in deployments} == {"roadworthy"}
    for one in deployments:
        steps = [values for step in one["pull_steps"] for values in step.values()]
        assert {"directory": "/project"} in steps
