"""An SBOM is not written of an environment that is not the locked one."""

from __future__ import annotations

from typing import Any

import pytest
from packaging.requirements import Requirement

from deploy.sbom import RefusedError, completed, locked, needed

MIT = [{"license": {"id": "MIT"}}]


def component(name: str, version: str, licences: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    made: dict[str, Any] = {"name": name, "version": version}
    return made | ({} if licences is None else {"licenses": licences})


def bill(*components: dict[str, Any]) -> dict[str, Any]:
    return {"components": list(components)}


def test_the_lock_names_versions_and_nothing_else() -> None:
    """As pip's constraints need it; the SBOM compares with it."""
    assert str(locked()["torch"]) == "2.13.0"
    assert locked()["msgspec"].is_prerelease is False


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (component("left-pad", "1.0", MIT), "left-pad is not in constraints.txt"),
        (
            component("msgspec", "0.1", MIT),
            f"msgspec is 0.1 here and {locked()['msgspec']} in constraints.txt",
        ),
    ],
)
def test_what_is_not_locked_is_named(bad: dict[str, Any], why: str) -> None:
    """With every other problem, and with what to do."""
    with pytest.raises(RefusedError, match=why) as caught:
        completed(bill(bad))
    assert "make setup" in str(caught.value)


def test_what_a_builder_added_to_a_version_is_no_other_version() -> None:
    (torch,) = completed(bill(component("torch", "2.13.0+cpu", MIT)))["components"]
    assert torch["scope"] == "optional"


def test_a_licence_in_words_of_its_own_is_kept() -> None:
    """protobuf names none that CycloneDX knows."""
    (found,) = completed(bill(component("protobuf", str(locked()["protobuf"]))))["components"]
    assert "BSD" in found["licenses"][0]["license"]["name"]


def test_the_project_is_no_component_of_itself() -> None:
    assert completed(bill(component("crosscurrent", "0.1.0")))["components"] == []


def test_what_an_extra_of_a_dependency_needs_is_needed() -> None:
    """kafka-python needs crc32c only with its extra."""
    assert "crc32c" not in needed([Requirement("kafka-python")])
    assert "crc32c" in needed([Requirement("kafka-python[crc32c]")])
