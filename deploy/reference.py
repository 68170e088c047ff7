"""Write the reference pages of the documentation from the code: `python -m deploy.reference`.

The pages are committed, so that they can be read without a build; a test proves them current.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import click
import msgspec
from prometheus_client import Histogram
from prometheus_client.metrics import MetricWrapperBase

from consumers.attribute_docs import attribute_docs, default_of, is_struct, own_doc
from consumers.cli.main import cli
from consumers.config.schema import Settings
from deploy.contracts import kafka_page, redis_page
from deploy.markdown import NOTE, cell
from serving.metrics import Metrics
from serving.shard_metrics import ShardMetrics

FOLDER = Path(__file__).parent / "docs" / "reference"


def pages() -> dict[str, str]:
    """Return the text of every reference page, by file name."""
    return {
        "kafka.md": kafka_page(),
        "redis.md": redis_page(),
        "config.md": config_page(),
        "metrics.md": metrics_page(),
        "cli.md": cli_page(),
    }


# Config keys


def config_page() -> str:
    """List every config key with its type, default and meaning, from the structs of the config."""
    lines = [
        NOTE,
        "# Config keys\n",
        "The config is TOML. An unknown key is an error that names its path.\n",
        "Every key can also be set in the environment: `redis.url` is `CROSSCURRENT_REDIS__URL`.\n",
    ]
    for sections, struct in _sections(Settings):
        lines += [
            f"## {', '.join(f'`[{section}]`' for section in sections)}\n",
            f"{own_doc(struct)}\n",
            "| key | type | default | meaning |",
            "|---|---|---|---|",
        ]
        meanings = attribute_docs(struct)
        hints = get_type_hints(struct)
        for field in msgspec.structs.fields(struct):
            if is_struct(hints[field.name]):
                continue
            kind = _type_name(hints[field.name])
            lines.append(
                f"| `{field.encode_name}` | {kind} | {_default(field)} | {cell(meanings.get(field.name, ''))} |"
            )
        lines.append("")
    return "\n".join(lines)


def _sections(settings: type[msgspec.Struct]) -> list[tuple[list[str], type[msgspec.Struct]]]:
    """Return the tables of the config: under which names a table may stand, and its struct."""
    found: dict[type[msgspec.Struct], list[str]] = {}

    def add(name: str, struct: type[msgspec.Struct]) -> None:
        found.setdefault(struct, []).append(name)
        for inner, kind in get_type_hints(struct).items():
            if is_struct(kind):
                add(f"{name}.{inner}", kind)

    for name, kind in get_type_hints(settings).items():
        if is_struct(kind):
            add(name, kind)
        else:  # a table of tables: [domains.<name>]
            for struct in filter(is_struct, get_args(kind)):
                add(f"{name}.<name>", struct)
    return [(names, struct) for struct, names in found.items()]


def _type_name(hint: Any) -> str:
    text = hint.__name__ if isinstance(hint, type) and not get_args(hint) else str(hint)
    if get_origin(hint) is dict:
        return f"table of {_type_name(get_args(hint)[1])}"
    if get_args(hint) and "Literal" in text:
        options = [a for a in get_args(hint) if a is not type(None)]
        flat = [o for a in options for o in (get_args(a) or (a,))]
        return ", ".join(f"`{o}`" for o in flat)
    if "datetime" in text:
        return "date and time, with its zone"
    return cell(text.replace("typing.", "").replace(" | None", ""))


def _default(field: Any) -> str:
    value = default_of(field)
    if value is msgspec.NODEFAULT:
        return "needed"
    if value is None:
        return "none"
    return f"`{msgspec.json.encode(value).decode()}`"


# Metrics


def metrics_page() -> str:
    """List every exported metric with its type, labels and help text."""
    lines = [NOTE, "# Metrics\n", "| metric | type | labels | meaning |", "|---|---|---|---|"]
    alone, shards = list(_metrics(Metrics())), list(_metrics(ShardMetrics()))
    every = [*alone, *shards]
    for metric in sorted(every, key=lambda m: str(m._name)):
        name = f"{metric._name}_total" if metric._type == "counter" else metric._name
        labels = ", ".join(f"`{label}`" for label in metric._labelnames)
        text = metric._documentation + (" Only with several shards." if metric in shards else "")
        if isinstance(metric, Histogram):
            bounds = [float(bound) for bound in metric._kwargs["buckets"]]
            text += f" Buckets from {bounds[0]:g} to {bounds[-1]:g} s."
        lines.append(f"| `{name}` | {metric._type} | {labels} | {cell(text)} |")
    return "\n".join(lines) + "\n"


def _metrics(metrics: Metrics | ShardMetrics) -> Iterator[Any]:
    for value in vars(metrics).values():
        if isinstance(value, MetricWrapperBase):
            yield value


# Command line


def cli_page() -> str:
    """Show the `--help` text of every command."""
    lines = [NOTE, "# Command line\n"]
    for path, command in _commands(cli, ("crosscurrent",)):
        context = click.Context(command, info_name=" ".join(path), max_content_width=100, terminal_width=100)
        lines += [f"## `{' '.join(path)}`\n", "```text", command.get_help(context), "```\n"]
    return "\n".join(lines)


def _commands(
    command: click.Command, path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            if child := command.get_command(context, name):
                yield from _commands(child, (*path, name))


def write() -> None:
    """Write every page."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write()
