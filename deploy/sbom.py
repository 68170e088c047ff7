"""Write build/sbom.cdx.json, what a release is made of: `make sbom`, or `python -m deploy.sbom [FILE]`.

cyclonedx-bom, of the CycloneDX project itself, reads the installed packages: versions, licences and their texts, who
needs whom. This adds what it cannot know. A component's `scope` says who gets it: `required` is in every installation
(the client for readers), `optional` comes with an extra, `excluded` is for developers only. A licence that a package
names in words of its own is kept in these words.

It refuses an environment that is not the locked one, and a package that names no licence.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, metadata, requires
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
FILE = ROOT / "build" / "sbom.cdx.json"
NAME = "crosscurrent"
SHIPPED = ("service", "embedded", "text", "evaluate")
"""The extras for users. The others are for developers."""
OF_THE_ENVIRONMENT = {"pip", "setuptools", "wheel"}
"""What `python -m venv` and builds bring along, which no lock names."""


class RefusedError(Exception):
    """The environment is not one that a release may be made of."""


def locked() -> dict[str, Version]:
    """Return the version of each package of constraints.txt."""
    lines = (ROOT / "constraints.txt").read_text().split()
    return {
        canonicalize_name(name): Version(version) for name, version in (line.split("==") for line in lines)
    }


def declared() -> tuple[list[Requirement], dict[str, list[Requirement]]]:
    """Return the dependencies of pyproject.toml: those of every installation, and those of each extra."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = {
        extra: [Requirement(line) for line in lines]
        for extra, lines in project["optional-dependencies"].items()
    }
    return [Requirement(line) for line in project["dependencies"]], extras


def needed(direct: Iterable[Requirement]) -> set[str]:
    """Return the names of these packages and of all that they need here."""
    found: set[tuple[str, str]] = set()
    waiting = list(direct)
    while waiting:
        one = waiting.pop()
        name = canonicalize_name(one.name)
        for extra in ("", *one.extras):
            if (name, extra) not in found:
                found.add((name, extra))
                waiting += _needs(name, extra)
    return {name for name, _ in found}


def _needs(name: str, extra: str) -> Iterator[Requirement]:
    try:
        lines = requires(name) or []
    except PackageNotFoundError:  # for another platform, or the project itself
        return
    for line in lines:
        one = Requirement(line)
        if one.marker is None or one.marker.evaluate({"extra": extra}):
            yield one


def scanned() -> dict[str, Any]:
    """Return the bill of this environment as cyclonedx-bom makes it, held against the schema of CycloneDX."""
    line = [sys.executable, "-m", "cyclonedx_py", "environment", sys.executable]
    options = ["--pyproject", str(ROOT / "pyproject.toml"), "--gather-license-texts", "--output-reproducible"]
    done = subprocess.run([*line, *options, "--validate"], capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise RefusedError(f"{done.stderr.strip()}\nIs cyclonedx-bom here? make setup")
    bill: dict[str, Any] = json.loads(done.stdout)
    return bill


def completed(bill: dict[str, Any]) -> dict[str, Any]:
    """Give each component its scope and its licence. Raises RefusedError, which names what does not belong."""
    direct, extras = declared()
    client = needed(direct)
    shipped = needed([*direct, *(one for extra in SHIPPED for one in extras[extra] if one.name != NAME)])
    lock, problems = locked(), []
    bill["components"] = [one for one in bill["components"] if canonicalize_name(one["name"]) != NAME]
    for one in bill["components"]:
        name = canonicalize_name(one["name"])
        one["scope"] = "required" if name in client else "optional" if name in shipped else "excluded"
        if name not in lock and name not in OF_THE_ENVIRONMENT:
            problems.append(f"{name} is not in constraints.txt")
        elif name in lock and Version(Version(one["version"]).public) != lock[name]:
            problems.append(f"{name} is {one['version']} here and {lock[name]} in constraints.txt")
        if not one.get("licenses"):
            if words := metadata(name).get("License"):
                one["licenses"] = [{"license": {"name": words, "acknowledgement": "declared"}}]
            else:
                problems.append(f"{name} names no licence")
    if problems:
        raise RefusedError(
            "\n".join([*problems, "`make setup` in an empty checkout makes the locked environment."])
        )
    return bill


def main() -> None:
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else FILE
    try:
        bill = completed(scanned())
    except RefusedError as refused:
        sys.exit(f"no SBOM was written:\n{refused}")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(bill, indent=2) + "\n", encoding="utf-8")
    scopes = [one["scope"] for one in bill["components"]]
    counted = ", ".join(f"{scopes.count(scope)} {scope}" for scope in ("required", "optional", "excluded"))
    print(f"{target}: {len(scopes)} components ({counted}), each with a licence")  # noqa: T201


if __name__ == "__main__":
    main()
