"""The manifests, the compose profile and the rescale job for several shards fit each other and the service.

No cluster and no engine is used. kubectl merges the manifests.
"""

from __future__ import annotations

import copy
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from typing import Any, NoReturn

import kubernetes_validate
import pytest
import yaml
from click.testing import CliRunner

from consumers.cli.main import cli
from consumers.config.loader import load
from consumers.rescaling.volumes import rescale_volumes
from deploy.rescale_job import rescale_job
from tests.unit.deploy.test_deploy import COMPOSE, CONTAINER, DEPLOY, OPERATORS, POD, VERSIONS, interpolated
from tests.unit.deploy.test_deploy import MANIFESTS as SINGLE

FOLDER = DEPLOY / "k8s-shards"
KUSTOMIZATION: dict[str, Any] = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
NETWORK, NETWORK_SERVICE = yaml.safe_load_all((FOLDER / "network.yaml").read_text())
NAME, COMPONENT = "app.kubernetes.io/name", "app.kubernetes.io/component"
SERVICES: dict[str, Any] = COMPOSE["services"]
SHARDS = ("crosscurrent", "shard-1", "shard-2", "shard-3")


@pytest.fixture(scope="module")
def rendered(missing: Callable[[object], NoReturn]) -> list[dict[str, Any]]:
    """Return what `kubectl apply -k deploy/k8s-shards` would send."""
    if (binary := shutil.which("kubectl")) is None:
        missing("kubectl is not on PATH")
    done = subprocess.run([binary, "kustomize", str(FOLDER)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def of(rendered: list[dict[str, Any]], kind: str, name: str = "crosscurrent") -> dict[str, Any]:
    (found,) = [one for one in rendered if one["kind"] == kind and one["metadata"]["name"] == name]
    return found


def environment(
    container: dict[str, Any], rendered: list[dict[str, Any]], labels: dict[str, str]
) -> dict[str, str]:
    """Return a container's variables, as Kubernetes would fill them in for a pod with these labels."""
    found = dict[str, str]()
    for source in container["envFrom"]:
        found |= of(rendered, "ConfigMap", source["configMapRef"]["name"])["data"]
    for one in container.get("env", ()):
        path = re.fullmatch(r"metadata\.labels\['(.+)'\]", one["valueFrom"]["fieldRef"]["fieldPath"])
        assert path
        found[one["name"]] = labels[path[1]]
    return found


@pytest.mark.parametrize("version", VERSIONS)
def test_merged_manifests_are_of_kubernetes_schemas(version: str, rendered: list[dict[str, Any]]) -> None:
    """Strictly, after kubectl has merged them."""
    operators = {SINGLE[name]["kind"] for name in OPERATORS}
    for document in rendered:
        if document["kind"] not in operators:
            kubernetes_validate.validate(document, version, strict=True)
    assert {one["kind"] for one in rendered} == {one["kind"] for one in SINGLE.values()} | {"Namespace"}


def test_every_manifest_is_in_the_kustomization() -> None:
    named = [*KUSTOMIZATION["resources"], *(patch["path"] for patch in KUSTOMIZATION["patches"])]
    assert {path.name for path in FOLDER.iterdir()} == {"kustomization.yaml", *named} - {"../k8s"}


def test_each_pod_is_the_shard_of_its_index(rendered: list[dict[str, Any]]) -> None:
    """As many pods as the config has shards; each loads it with an index of its own, in both containers."""
    shards = of(rendered, "StatefulSet")["spec"]
    assert shards["podManagementPolicy"] == "Parallel", "no shard waits for another"
    pod = shards["template"]["spec"]
    for index in range(shards["replicas"]):
        for container in (pod["initContainers"][0], pod["containers"][0]):
            labels = {"apps.kubernetes.io/pod-index": str(index)}
            settings = load(DEPLOY / "crosscurrent.toml", environment(container, rendered, labels))
            assert (settings.shards.own(), settings.shards.count) == (index, shards["replicas"])


def test_a_shard_is_a_single_process_otherwise(rendered: list[dict[str, Any]]) -> None:
    """So that one volume serves as that of the single process and of the first shard."""
    shards = of(rendered, "StatefulSet")["spec"]
    pod, single = copy.deepcopy(shards["template"]["spec"]), copy.deepcopy(POD)
    for container in (*pod["initContainers"], *pod["containers"]):
        container.pop("env", None)
        container.pop("envFrom", None)
    for container in (*single["initContainers"], *single["containers"]):
        container["image"] += ":0.1.0"
    (volume,) = [one for one in pod["volumes"] if one["name"] == "config"]
    volume["configMap"]["name"] = "crosscurrent"  # without the hash
    assert pod == single
    claims = SINGLE["statefulset.yaml"]["spec"]["volumeClaimTemplates"]
    assert [one["spec"] for one in shards["volumeClaimTemplates"]] == [one["spec"] for one in claims]


def test_the_networks_process_has_the_rights_and_config_of_a_shard(rendered: list[dict[str, Any]]) -> None:
    """There is one, with another command, no index, and a job of its own in Prometheus."""
    spec = of(rendered, "StatefulSet", "crosscurrent-network")["spec"]
    pod, shard = spec["template"]["spec"], of(rendered, "StatefulSet")["spec"]["template"]["spec"]
    assert spec["replicas"] == 1
    (container,), (other,) = pod["containers"], shard["containers"]
    assert container["args"] == ["network", *other["args"][1:]]
    same = ("image", "envFrom", "ports", "securityContext", "volumeMounts", "startupProbe", "livenessProbe")
    assert {key: container[key] for key in same} == {key: other[key] for key in same}
    assert container["readinessProbe"] == other["readinessProbe"]
    assert "env" not in container
    for key in ("securityContext", "serviceAccountName", "automountServiceAccountToken", "volumes"):
        assert pod[key] == shard[key]
    settings = load(
        DEPLOY / "crosscurrent.toml",
        environment(container, rendered, {}) | {"CROSSCURRENT_SHARDS__INDEX": "0"},
    )
    assert settings.shards.count == of(rendered, "StatefulSet")["spec"]["replicas"]


def test_services_and_rules_for_pods_tell_them_apart(rendered: list[dict[str, Any]]) -> None:
    """Each StatefulSet and Service has its own pods; budget, network policy and monitor have all of them."""
    both = {name: of(rendered, "StatefulSet", name) for name in ("crosscurrent", "crosscurrent-network")}
    labels = {name: one["spec"]["template"]["metadata"]["labels"] for name, one in both.items()}
    assert len({one[COMPONENT] for one in labels.values()}) == 2

    def chosen(selector: dict[str, str]) -> list[str]:
        return [name for name, own in labels.items() if selector.items() <= own.items()]

    for name, one in both.items():
        assert chosen(one["spec"]["selector"]["matchLabels"]) == [name]
        assert chosen(of(rendered, "Service", one["spec"]["serviceName"])["spec"]["selector"]) == [name]
    assert of(rendered, "PodDisruptionBudget")["spec"]["maxUnavailable"] == 1
    assert chosen(of(rendered, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"]) == list(both)
    assert chosen(of(rendered, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"]) == list(both)
    wanted = of(rendered, "ServiceMonitor")["spec"]["selector"]["matchLabels"]
    for name in both:
        assert wanted.items() <= of(rendered, "Service", name)["metadata"]["labels"].items()
    assert not [one for one in rendered if one["kind"] == "HorizontalPodAutoscaler"]


# The job that rescales


@pytest.mark.parametrize(("old", "new"), [(1, 4), (4, 6), (6, 2), (2, 1)])
def test_the_rescale_job_mounts_every_volume(rendered: list[dict[str, Any]], old: int, new: int) -> None:
    """Of old and new processes, by the names that their pods look for; claims are made for the new ones alone."""
    *claims, job = rescale_job(of(rendered, "StatefulSet"), old, new)["items"]
    for version in VERSIONS:
        for document in (*claims, job):
            kubernetes_validate.validate(document, version, strict=True)
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    of_name = {
        one["name"]: one["persistentVolumeClaim"]["claimName"]
        for one in pod["volumes"]
        if "persistentVolumeClaim" in one
    }
    mounted = {
        one["mountPath"]: of_name[one["name"]] for one in container["volumeMounts"] if one["name"] in of_name
    }
    expected = {f"/volumes/shard-{n}": f"checkpoints-crosscurrent-{n}" for n in range(max(old, new))}
    assert mounted == expected | {"/volumes/network": "checkpoints-crosscurrent-network-0"}
    made = {one["metadata"]["name"] for one in claims}
    assert made == {f"checkpoints-crosscurrent-{n}" for n in range(old, new)} | (
        {"checkpoints-crosscurrent-network-0"} if old == 1 else set()
    )
    again = {
        one["metadata"]["name"]
        for one in rescale_job(of(rendered, "StatefulSet"), 4, 4, lost_network=True)["items"]
    }
    assert again == {"checkpoints-crosscurrent-network-0", "crosscurrent-rescale"}
    others = {one["name"] for one in container["volumeMounts"]} - of_name.keys()
    assert others == {one["name"] for one in pod["volumes"]} - of_name.keys() == {"config", "secrets", "tmp"}
    assert container["securityContext"] == CONTAINER["securityContext"]
    labels = job["spec"]["template"]["metadata"]["labels"]
    assert labels[NAME] != "crosscurrent", "the disruption budget cannot count it"


def test_the_rescale_job_has_the_variables_of_the_pods(rendered: list[dict[str, Any]]) -> None:
    """They may say where the broker is. The index of a shard is left out: its source is a label that the Job lacks."""
    shards = copy.deepcopy(of(rendered, "StatefulSet"))
    (container,) = shards["spec"]["template"]["spec"]["containers"]
    broker = {"name": "CROSSCURRENT_KAFKA__BOOTSTRAP_SERVERS", "value": "kafka-0:9092"}
    container["env"].append(broker)
    before = copy.deepcopy(shards)
    job = rescale_job(shards, 4, 6)["items"][-1]
    assert shards == before
    (made,) = job["spec"]["template"]["spec"]["containers"]
    cache = {"name": "CROSSCURRENT_CACHE", "value": "/volumes/shard-0/cache"}
    assert made["env"] == [broker, cache]
    assert made["envFrom"] == container["envFrom"]


def test_the_rescale_job_runs_a_command_that_there_is(rendered: list[dict[str, Any]]) -> None:
    """Its options are those of `crosscurrent rescale`, and the folders are those that it looks for."""
    (container,) = rescale_job(of(rendered, "StatefulSet"), 1, 4)["items"][-1]["spec"]["template"]["spec"][
        "containers"
    ]
    said = CliRunner().invoke(cli, [container["args"][0], "--help"]).output
    assert {word for word in container["args"] if word.startswith("--")} <= set(re.findall(r"--[\w-]+", said))
    assert container["args"][container["args"].index("--volumes") + 1] == "/volumes"
    module = sys.modules[rescale_volumes.__module__].__doc__ or ""
    assert "<volumes>/shard-<i>/" in module
    assert "<volumes>/network/" in module


def test_the_rescale_job_is_made_as_the_runbook_says(rendered: list[dict[str, Any]]) -> None:
    runbook = (DEPLOY / "docs" / "runbook.md").read_text()
    assert "kubectl -n crosscurrent get statefulset crosscurrent -o json |" in runbook
    assert "python -m deploy.rescale_job --from 4 --to 6" in runbook
    line = [sys.executable, "-I", "-S", str(DEPLOY / "rescale_job.py"), "--from", "4", "--to", "6"]
    done = subprocess.run(
        line, input=json.dumps(of(rendered, "StatefulSet")), capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == rescale_job(of(rendered, "StatefulSet"), 4, 6), "without any package"


# Compose


def test_the_profile_has_four_shards_and_the_networks_process() -> None:
    """Each has the config of the first with an index and a port of its own, and they share one volume."""
    variables = dict(re.findall(r"^(\w+)=(.*)$", (DEPLOY / "shards.env").read_text(), re.MULTILINE))
    assert variables == {"COMPOSE_PROFILES": "shards", "SHARDS": "4"}
    profile = {name for name, one in SERVICES.items() if "shards" in one.get("profiles", ())}
    assert profile == {*SHARDS[1:], "shard-network"}
    assert not [name for name, one in SERVICES.items() if name not in profile and "profiles" in one]
    for index, name in enumerate(SHARDS):
        shards = load(DEPLOY / "crosscurrent.toml", interpolated(name, **variables)).shards
        assert (shards.own(), shards.count) == (index, 4)
        assert load(DEPLOY / "crosscurrent.toml", interpolated(name)).shards.count == 1
        assert SERVICES[name]["volumes"] == SERVICES["crosscurrent"]["volumes"]
        assert "command" not in SERVICES[name]
    network, pod = SERVICES["shard-network"], NETWORK["spec"]["template"]["spec"]["containers"][0]
    assert network["command"] == pod["args"]
    assert network["volumes"] == SERVICES["crosscurrent"]["volumes"]
    ports = [port for name in (*SHARDS, "shard-network") for port in SERVICES[name]["ports"]]
    assert ports == [f"127.0.0.1:{port}:9464" for port in range(9464, 9469)]
    for name in profile:
        for key in ("read_only", "cap_drop", "security_opt", "tmpfs", "image", "restart"):
            assert SERVICES[name][key] == SERVICES["crosscurrent"][key]


def test_prometheus_finds_the_profile_by_name() -> None:
    """In the jobs that Kubernetes has, too: by the names of the Services."""
    scraped = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yaml").read_text())["scrape_configs"]
    names = {one["job_name"]: one["dns_sd_configs"][0]["names"] for one in scraped}
    assert names == {"crosscurrent": list(SHARDS[1:]), "crosscurrent-network": ["shard-network"]}
    jobs = [SINGLE["service.yaml"]["metadata"]["name"], NETWORK_SERVICE["metadata"]["name"]]
    assert list(names) == jobs
