import re
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

FOLDER = Path(__file__).parents[2] / "deploy" / "kubernetes"
GRACE = re.compile(
    r"(?:--time|--stop-timeout|stop_grace_period:|terminationGracePeriodSeconds:) ?=?(\d+)"
)
VERSIONS = ("1.30", kubernetes_validate.latest_version())


@pytest.fixture(scope="module")
def manifests() -> dict[str, dict[str, Any]]:
    """By kind, those that the kustomization names."""
    listed = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())["resources"]
    found = [yaml.safe_load((FOLDER / name).read_text()) for name in listed]
    assert {path.name for path in FOLDER.glob("*.yaml")} == {*listed, "kustomization.yaml"}
    return {one["kind"]: one for one in found}


@pytest.mark.parametrize("version", VERSIONS)
def test_the_cluster_would_take_them(manifests: dict[str, dict[str, Any]], version: str) -> None:
    """By the schemas of an old and the newest Kubernetes; a mistyped key is an error."""
    for manifest in manifests.values():
        kubernetes_validate.validate(manifest, version, strict=True)


def test_they_belong_together(manifests: dict[str, dict[str, Any]]) -> None:
    """Every selector finds the pods, and the autoscaler the deployment."""
    deployment = manifests["Deployment"]
    pods = deployment["spec"]["template"]["metadata"]["labels"].items()
    selectors = [
        deployment["spec"]["selector"]["matchLabels"],
        manifests["Service"]["spec"]["selector"],
        manifests["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
        manifests["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
    ]
    assert all(selector.items() <= pods for selector in selectors)
    scaled = manifests["HorizontalPodAutoscaler"]["spec"]
    assert scaled["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
    # A number here would fight with the autoscaler at every apply.
    assert "replicas" not in deployment["spec"]
    assert manifests["PodDisruptionBudget"]["spec"]["minAvailable"] < scaled["minReplicas"]


def test_the_pod_is_locked_in(manifests: dict[str, dict[str, Any]]) -> None:
    """What the restricted Pod Security Standard asks for, and a read-only root."""
    pod = manifests["Deployment"]["spec"]["template"]["spec"]
    [container] = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["automountServiceAccountToken"] is False
    assert [one["mountPath"] for one in container["volumeMounts"]] == ["/tmp", "/data"]
    assert all("sizeLimit" in one["emptyDir"] for one in pod["volumes"])
    assert {"requests", "limits"} == set(container["resources"])


def test_nobody_is_asked_before_the_champions_are_loaded(
    manifests: dict[str, dict[str, Any]],
) -> None:
    """Ready means loaded; alive does not, or a slow start would be killed and begun again."""
    [container] = manifests["Deployment"]["spec"]["template"]["spec"]["containers"]
    assert container["startupProbe"]["httpGet"]["path"] == "/readyz"
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert container["livenessProbe"]["httpGet"]["path"] == "/livez"
    [port] = container["ports"]
    recipe = (FOLDER.parent / "Containerfile").read_text()
    assert f"EXPOSE {port['containerPort']}\n" in recipe
    user = manifests["Deployment"]["spec"]["template"]["spec"]["securityContext"]["runAsUser"]
    assert f"USER {user}:{user}\n" in recipe


def test_the_settings_fit_the_pod(manifests: dict[str, dict[str, Any]]) -> None:
    """Threads and decoders for its limits, the log where it may write, nothing the image cannot."""
    kustomization = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
    [generated] = kustomization["configMapGenerator"]
    settings = dict(one.split("=", 1) for one in generated["literals"])
    pod = manifests["Deployment"]["spec"]["template"]["spec"]
    [container] = pod["containers"]
    assert settings["ROADWORTHY_LANES"] == container["resources"]["limits"]["cpu"]
    assert container["resources"]["limits"]["memory"] == "2Gi"
    assert settings["ROADWORTHY_DECODERS"] == "2"
    assert settings["ROADWORTHY_LOG"] in {one["mountPath"] for one in container["volumeMounts"]}
    texts = [path.read_text() for path in FOLDER.glob("*.yaml")]
    assert not any("ROADWORTHY_FOLLOW" in text or "ROADWORTHY_SHADOW" in text for text in texts)


def test_there_is_one_grace_period(manifests: dict[str, dict[str, Any]]) -> None:
    """In every recipe: the slowest request takes 60 s, and preStop comes before."""
    assert (
        manifests["Deployment"]["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] == 90
    )
    root = FOLDER.parents[1]
    paths = [root / "docs/how-to" / name for name in ("deploy.md", "follow.md")]
    for path in (*paths, FOLDER.parent / "compose.yaml"):
        text = path.read_text()
        assert set(GRACE.findall(text)) == {"90"}, path
