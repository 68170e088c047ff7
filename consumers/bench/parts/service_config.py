"""Write the config file of a service that runs between a given broker and a given store."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

Table = Mapping[str, object]


def write_config(folder: Path, tables: Mapping[str, Table], domains: Mapping[str, Table]) -> Path:
    """Write `folder`/crosscurrent.toml and return its path. Checkpoints go to `folder`/checkpoints.

    tables, domains: the keys of each table; a domain may be followed by a table of its own, as `movies.interactions`.
    Values are text, numbers, booleans or lists, as JSON and TOML write alike.
    """
    checkpoint = {"directory": str(folder / "checkpoints")} | dict(tables.get("checkpoint", {}))
    named = {**tables, "checkpoint": checkpoint} | {f"domains.{name}": keys for name, keys in domains.items()}
    path = folder / "crosscurrent.toml"
    path.write_text("\n".join(_table(name, keys) for name, keys in named.items()))
    return path


def _table(name: str, keys: Table) -> str:
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in keys.items()]
    return "\n".join([f"[{name}]", *lines, ""])
