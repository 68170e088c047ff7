"""The Helm chart is rendered by Helm itself (its library), and says what the manifests of deploy/k8s say."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, NoReturn

import kubernetes_validate
import pytest
import yaml

from consumers.config.loader import load
from deploy.helm_chart import FILES, FOLDER, manifest
from deploy.sizing import requests
from tests.support.paths import ROOT
from tests.unit.deploy.test_deploy import VERSIONS

NAME, NAMESPACE = "ours", "recommendations"
Rendered = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def helm(missing: Callable[[object], NoReturn]) -> Any:
    try:
        return importlib.import_module("helm_python")
    except ImportError:
        missing("Helm is not here: pip install helm-python-sdk")


def render(helm: Any, **values: Any) -> Rendered:
    """Return the rendered manifests by kind. Values are held against the chart's schema, as `helm install` does."""
    with helm.Chart.load(FOLDER) as chart:
        chart.validate_schema(values)
        texts = chart.render(values=values, name=NAME, namespace=NAMESPACE)
    documents = [one for text in texts.values() for one in yaml.safe_load_all(text) if one]
    return {one["kind"]: one for one in documents}


def containers(rendered: Rendered) -> list[dict[str, Any]]:
    pod = rendered["StatefulSet"]["spec"]["template"]["spec"]
    return [*pod["initContainers"], *pod["containers"]]


@pytest.mark.parametrize("name", FILES)
def test_the_chart_is_current(name: str) -> None:
    """After a change in deploy/k8s: python -m deploy.helm_chart."""
    assert (FOLDER / name).read_text() == FILES[name]()


def test_every_file_of_the_chart_is_generated() -> None:
    there = {path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*") if path.is_file()}
    assert there == set(FILES)


def test_helm_has_nothing_to_say(helm: Any) -> None:
    """No warning of `helm lint --strict`; a missing icon is information."""
    told = helm.lint(FOLDER, {}, strict=True, kube_version=f"v{VERSIONS[-1]}.0")
    assert [one for one in told["messages"] if one["severity"] > 1] == []
    assert told["errors"] == []


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "values",
    [
        {},
        {"checkpoints": {"storageClassName": "fast"}, "imagePullSecrets": [{"name": "registry"}]},
        {"networkPolicy": {"enabled": False}, "serviceMonitor": {"enabled": True}},
    ],
    ids=["defaults", "a class and a registry", "an operator and no policy"],
)
def test_what_is_rendered_is_of_kubernetes_schemas(helm: Any, values: dict[str, Any], version: str) -> None:
    """Strictly: no key that Kubernetes does not know."""
    rendered = render(helm, **values)
    assert len(rendered) == 6
    for kind, document in rendered.items():
        if kind != "ServiceMonitor":
            kubernetes_validate.validate(document, version, strict=True)


def test_defaults_are_the_manifests(helm: Any) -> None:
    """Manifest for manifest, but for what kustomize does otherwise: image, config's name, and what values set."""
    rendered = render(helm)
    for name, kind in (
        ("service", "Service"),
        ("serviceaccount", "ServiceAccount"),
        ("poddisruptionbudget", "PodDisruptionBudget"),
        ("networkpolicy", "NetworkPolicy"),
    ):
        assert rendered[kind] == manifest(name)
    stateful = rendered["StatefulSet"]
    template = stateful["spec"]["template"]
    assert set(template["metadata"].pop("annotations")) == {"checksum/config"}
    assert template["spec"].pop("imagePullSecrets") == []
    for container in containers(rendered):
        assert container.pop("env")
        assert container.pop("imagePullPolicy") == "IfNotPresent"
        assert container["image"] == "crosscurrent:0.1.0"
        container["image"] = "crosscurrent"
    wanted = manifest("statefulset")
    resources = stateful["spec"]["template"]["spec"]["containers"][0]["resources"]
    assert resources["requests"] == requests()
    assert stateful == wanted
    toml = (ROOT / "deploy" / "k8s" / "crosscurrent.toml").read_text()
    assert rendered["ConfigMap"]["data"]["crosscurrent.toml"].strip() == toml.strip()


def test_values_reach_the_service(helm: Any, tmp_path: Any) -> None:
    """The service's own loader finds their brokers and secrets in the rendered config and environment."""
    rendered = render(
        helm,
        image={"repository": "registry.example/crosscurrent", "tag": "1.2.3"},
        kafka={"bootstrapServers": ["a:9092", "b:9092"]},
        redis={"urlKey": "cache"},
        secret="ours",
        config='[domains.books]\nrole = "target"\n',
        resources={"requests": {"cpu": "2", "memory": "8Gi"}},
    )
    pod = rendered["StatefulSet"]["spec"]["template"]["spec"]
    (secrets,) = [one["secret"]["secretName"] for one in pod["volumes"] if "secret" in one]
    assert secrets == "ours"
    assert pod["containers"][0]["resources"]["requests"] == {"cpu": "2", "memory": "8Gi"}
    (tmp_path / "cache").write_text("rediss://store:6379/0")
    (tmp_path / "crosscurrent.toml").write_text(rendered["ConfigMap"]["data"]["crosscurrent.toml"])
    for container in containers(rendered):
        assert container["image"] == "registry.example/crosscurrent:1.2.3"
        mount = next(one["mountPath"] for one in container["volumeMounts"] if one["name"] == "secrets")
        environ = {one["name"]: one["value"].replace(mount, str(tmp_path)) for one in container["env"]}
        settings = load(tmp_path / "crosscurrent.toml", environ)
        assert settings.kafka.bootstrap_servers == ["a:9092", "b:9092"]
        assert settings.redis.url == "rediss://store:6379/0"
        assert list(settings.domains) == ["books"]


def test_a_changed_config_restarts_the_pod(helm: Any) -> None:
    """As kustomize does by the name of its ConfigMap."""
    one, two = (
        render(helm, config=f'[domains.{name}]\nrole = "target"\n')["StatefulSet"]["spec"]["template"]
        for name in ("books", "games")
    )
    assert one["metadata"]["annotations"] != two["metadata"]["annotations"]


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"replicas": 2}, "replicas"),
        ({"imagee": {}}, "imagee"),
        ({"kafka": {"bootstrapServers": []}}, "bootstrapServers"),
        ({"secret": ""}, "secret"),
    ],
)
def test_wrong_values_are_refused_by_name(helm: Any, values: dict[str, Any], named: str) -> None:
    """Two replicas would be two processes on one checkpoint folder."""
    with pytest.raises(helm.HelmValuesError, match=named):
        render(helm, **values)
