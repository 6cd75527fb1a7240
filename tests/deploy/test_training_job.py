"""The job that trains over machines, and the image it runs in."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from prefect.utilities.templating import apply_values
from prefect_docker.worker import DockerWorkerJobConfiguration
from prefect_kubernetes.worker import KubernetesWorkerJobConfiguration

DEPLOY = Path(__file__).parents[2] / "deploy"
FOLDER = DEPLOY / "kubernetes" / "train"
RECIPE = DEPLOY / "Containerfile.train"
VERSIONS = ("1.30", kubernetes_validate.latest_version())


@pytest.fixture(scope="module")
def manifests() -> dict[str, dict[str, Any]]:
    """By kind, those that the kustomization names."""
    listed = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())["resources"]
    assert {path.name for path in FOLDER.glob("*.yaml")} == {*listed, "kustomization.yaml"}
    found = [yaml.safe_load((FOLDER / name).read_text()) for name in listed]
    return {one["kind"]: one for one in found}


@pytest.fixture(scope="module")
def pod(manifests: dict[str, dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = manifests["Job"]["spec"]["template"]["spec"]
    return found


@pytest.mark.parametrize("version", VERSIONS)
def test_the_cluster_would_take_them(manifests: dict[str, dict[str, Any]], version: str) -> None:
    """By the schemas of an old and the newest Kubernetes; a mistyped key is an error."""
    for manifest in manifests.values():
        kubernetes_validate.validate(manifest, version, strict=True)


def test_the_machines_find_each_other(
    manifests: dict[str, dict[str, Any]], pod: dict[str, Any]
) -> None:
    """As many pods as torchrun waits for, and the first one's name from the headless Service."""
    job, service = manifests["Job"], manifests["Service"]
    [train] = pod["containers"]
    [script] = train["args"]
    assert job["spec"]["completionMode"] == "Indexed"
    [nodes] = re.findall(r"--nnodes=(\d+)", script)
    assert int(nodes) == job["spec"]["completions"] == job["spec"]["parallelism"]
    name = job["metadata"]["name"]
    assert pod["subdomain"] == service["metadata"]["name"]
    assert f"--master-addr={name}-0.{pod['subdomain']} " in script
    assert '--node-rank="$JOB_COMPLETION_INDEX"' in script
    assert service["spec"]["clusterIP"] == "None"
    assert service["spec"]["publishNotReadyAddresses"] is True
    labels = job["spec"]["template"]["metadata"]["labels"].items()
    assert service["spec"]["selector"].items() <= labels
    [port] = service["spec"]["ports"]
    assert f"--master-port={port['port']} " in script
    assert port["port"] == train["ports"][0]["containerPort"]


def test_signals_reach_torchrun(pod: dict[str, Any]) -> None:
    """A shell would keep SIGTERM for itself, and no checkpoint would be written."""
    for container in (*pod["containers"], *pod["initContainers"]):
        script = container["args"][0].strip()
        assert script.splitlines()[-1].startswith("exec ") or "\nexec " in f"\n{script}"
    assert pod["terminationGracePeriodSeconds"] >= 60
    assert pod["restartPolicy"] == "Never"


def test_the_pods_are_locked_in(manifests: dict[str, dict[str, Any]], pod: dict[str, Any]) -> None:
    """As the service is; what they share is one volume that all of them may write."""
    assert pod["securityContext"]["runAsNonRoot"] is True
    user = pod["securityContext"]["runAsUser"]
    assert f"USER {user}:{user}\n" in RECIPE.read_text()
    for container in (*pod["containers"], *pod["initContainers"]):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert {"requests", "limits"} == set(container["resources"])
    claim = pod["volumes"][0]["persistentVolumeClaim"]["claimName"]
    assert claim == manifests["PersistentVolumeClaim"]["metadata"]["name"]
    assert manifests["PersistentVolumeClaim"]["spec"]["accessModes"] == ["ReadWriteMany"]
    assert f"WORKDIR {pod['containers'][0]['workingDir']}\n" in RECIPE.read_text()


def test_the_image_is_well_written() -> None:
    """As hadolint judges it; it takes the locked packages and nothing else."""
    program = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([str(program), str(RECIPE)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    assert "--require-hashes --requirement /tmp/requirements.lock" in RECIPE.read_text()


def template(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DEPLOY / "prefect" / f"{name}.json").read_text())
    return found


def job(kind: str, **values: object) -> dict[str, Any]:
    """What a worker makes of the pool's template: defaults, and what a deployment sets."""
    pool = template(kind)
    known = pool["variables"]["properties"].items()
    defaults = {key: one["default"] for key, one in known if "default" in one}
    made: dict[str, Any] = apply_values(
        pool["job_configuration"], {**defaults, **values}, remove_notset=True
    )
    return made


@pytest.mark.parametrize("name", ["docker", "kubernetes"])
def test_every_variable_of_a_pool_is_used(name: str) -> None:
    """One that is not would be set in vain; one that is not declared would stay a placeholder."""
    pool = template(name)
    used = set(re.findall(r"\{\{ (\w+) \}\}", json.dumps(pool["job_configuration"])))
    assert used == set(pool["variables"]["properties"])


def test_a_docker_pool_starts_the_project() -> None:
    """As Prefect's own worker reads the template."""
    made = DockerWorkerJobConfiguration(**job("docker"))
    assert made.image == "roadworthy-train:latest"
    assert made.volumes == [".:/project"] and made.network_mode == "host"
    assert not made.privileged


def test_a_kubernetes_pool_starts_a_job_that_a_cluster_takes(pod: dict[str, Any]) -> None:
    """With GPUs where a deployment asks for them, on the volume of the training job."""
    image = "registry.example.com/roadworthy-train:7"
    made = KubernetesWorkerJobConfiguration(**job("kubernetes", gpus=2, image=image, name="walk"))
    manifest = made.job_manifest
    kubernetes_validate.validate(manifest, VERSIONS[1])
    inside = manifest["spec"]["template"]["spec"]
    [container] = inside["containers"]
    assert container["image"] == image
    assert container["resources"]["limits"]["nvidia.com/gpu"] == 2
    assert inside["volumes"][0] == pod["volumes"][0]
    assert container["envFrom"] == pod["containers"][0]["envFrom"]
