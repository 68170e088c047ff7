"""Write a config with every key and its default commented out, from the structs of the config."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from typing import Any, get_args, get_type_hints

import msgspec

from consumers.attribute_docs import attribute_docs, default_of, is_struct, own_doc
from consumers.config.schema import Settings

WIDTH = 116
HEAD = """\
## A config of Crosscurrent. Every key is here with its default, after one #. Remove the # of a line to change it.
## Every key can also be set in the environment: CROSSCURRENT_REDIS__URL, CROSSCURRENT_DOMAINS__MOVIES__ROLE …
## After a change: crosscurrent check -c FILE
"""
DOMAINS = """\
## The domains. Name yours: their events come from interactions.<name>, their items from items.<name>.
[domains.movies]
role = "source"

[domains.books]
role = "source"

[domains.games]
role = "target"
"""
EVENTS = """\
## Types of events besides "click" and "rating". Weights of clicks are where learning begins.
# [events]
# view = { as = "click", weight = 0.2 }
# like = { as = "click", weight = 2.0 }
# purchase = { as = "click", weight = 3.0 }
# skip = { as = "skip" }
"""
EXPERIMENTS = """\
## Live experiments. Each arm overrides keys of [ranker], publish.top, publish.explain_top, or made_by.
# [experiments.variety]
# arms.a = {}
# arms.b = { ranker.diversity = 0.3 }
# unit = "user"  # or list
# share = 1.0
# starts = 2026-12-01T08:00:00Z
"""


def template() -> str:
    """Return the text. It loads as it is."""
    parts = [HEAD]
    for name, kind in get_type_hints(Settings).items():
        if is_struct(kind):
            parts.append("\n".join([_comment(own_doc(kind)), f"[{name}]", *_keys(kind)]) + "\n")
    (domain,) = filter(is_struct, get_args(get_type_hints(Settings)["domains"]))
    parts += [EVENTS, EXPERIMENTS, DOMAINS + "\n".join(_keys(domain, without="role")) + "\n"]
    for name, kind in get_type_hints(domain).items():
        if is_struct(kind):
            lines = [
                _comment(own_doc(kind)),
                f"# [domains.games.{name}]",
                *_keys(kind, without="types" if name == "items" else ""),
            ]
            parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def _keys(struct: type[msgspec.Struct], without: str = "") -> Iterator[str]:
    """Yield the lines of a table: what each key means, and the key with its default. without: the key to leave out."""
    meanings, hints = attribute_docs(struct), get_type_hints(struct)
    for field in msgspec.structs.fields(struct):
        if is_struct(hints[field.name]) or field.name == without:
            continue
        yield _comment(meanings.get(field.name, ""))
        yield f"# {field.encode_name} = {_value(default_of(field), hints[field.name])}"


def _value(value: Any, hint: Any) -> str:
    """Write a default as TOML, and what else the key may be. "" stands for a key that is not set."""
    if isinstance(value, dict):
        return "{}"
    choices = [str(one) for part in (hint, *get_args(hint)) for one in get_args(part) if isinstance(one, str)]
    others = [choice for choice in choices if choice != value]
    text = json.dumps("" if value is None else value)  # so far JSON and TOML are the same
    return f"{text}  # or {', '.join(others)}" if others else text


def _comment(text: str) -> str:
    return textwrap.fill(" ".join(text.split()), WIDTH, initial_indent="## ", subsequent_indent="## ")
