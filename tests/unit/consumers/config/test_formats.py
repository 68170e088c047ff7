"""The config describes topics that are not the contract's JSON, and the schema registry."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from consumers.config.formats import FIELDS, TopicConfig
from consumers.config.loader import build, load
from consumers.errors import USAGE, Stop
from consumers.events.fields import ImpressionFields, InteractionFields, ItemFields
from tests.support.paths import ROOT

REGISTRY = {"url": "http://registry:8081"}


def refused(raw: dict[str, Any]) -> str:
    with pytest.raises(Stop) as caught:
        build(raw)
    assert caught.value.code == USAGE
    return str(caught.value)


def movies(kind: str = "interactions", **topic: Any) -> dict[str, Any]:
    return {"schema_registry": REGISTRY, "domains": {"movies": {kind: topic}}}


def test_a_whole_example(tmp_path: Path) -> None:
    """The documentation's TOML loads, and keys that it leaves out keep their defaults."""
    path = tmp_path / "config.toml"
    path.write_text(
        """
        [schema_registry]
        url = "https://registry:8081/apis/ccompat/v7"
        [domains.movies]
        interactions_topic = "shop.ratings"
        [domains.movies.interactions]
        format = "avro"
        unwrap = "after"
        fields = {user_id = "uid", item_id = ["sku", "product.id"], value = "stars"}
        types = {purchase = "click"}
        defaults = {type = "rating"}
        """
    )
    settings = load(path, {"CROSSCURRENT_DOMAINS__MOVIES__ITEMS__FORMAT": "json_schema"})
    fields: dict[str, str | list[str]] = {
        "user_id": "uid",
        "item_id": ["sku", "product.id"],
        "value": "stars",
    }
    events = TopicConfig("avro", "after", fields, {"purchase": "click"}, {"type": "rating"})
    assert list(settings.topic_formats()) == [
        ("shop.ratings", "interactions", events),
        ("items.movies", "items", TopicConfig("json_schema")),
    ]


def test_the_examples_of_the_documentation() -> None:
    """Each block of formats.md is a valid config, except for its secret files."""
    text = (ROOT / "deploy" / "docs" / "formats.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```toml\n(.+?)```", text, re.DOTALL)
    assert len(blocks) == 4
    for block in blocks:
        lines = [line for line in block.splitlines() if "file =" not in line and "username" not in line]
        settings = build(tomllib.loads("\n".join(lines)))
        assert not settings.domains["books"].interactions.is_contract


def test_the_fields_are_those_of_the_contract() -> None:
    assert FIELDS["interactions"] == InteractionFields.__struct_fields__
    assert FIELDS["impressions"] == ImpressionFields.__struct_fields__
    assert FIELDS["items"] == ItemFields.__struct_fields__


@pytest.mark.parametrize(
    ("raw", "begins"),
    [
        (
            movies(format="xml"),
            "domains.movies.interactions.format: 'xml' is none of json, avro, protobuf, json_schema",
        ),
        (movies(formats="avro"), "domains.movies.interactions.formats: unknown key"),
        (
            movies(fields={"usr": "uid"}),
            "domains.movies.interactions.fields.usr: no field of interactions, which has type,",
        ),
        (
            movies("items", fields={"user_id": "u"}),
            "domains.movies.items.fields.user_id: no field of items, which has item_id,",
        ),
        (movies(defaults={"kind": "click"}), "domains.movies.interactions.defaults.kind: no field"),
        (movies(fields={"user_id": "a..b"}), "domains.movies.interactions.fields.user_id: 'a..b' is no path"),
        (movies(fields={"user_id": ["a", ""]}), "domains.movies.interactions.fields.user_id: '' is no path"),
        (movies(fields={"user_id": "$."}), "domains.movies.interactions.fields.user_id: '$.' is no path"),
        (movies(fields={"user_id": []}), "domains.movies.interactions.fields.user_id: name at least one"),
        (movies(unwrap=".after"), "domains.movies.interactions.unwrap: '.after' is no path"),
        (
            movies(types={"view": "look"}),
            "domains.movies.interactions.types.view: 'look' is none of click, rating, impression; a type of your own",
        ),
        (movies("items", types={"view": "click"}), "domains.movies.items.types: for interactions only"),
        (
            movies(format="avro") | {"schema_registry": {}},
            "schema_registry.url: needed with domains.movies.interactions.format",
        ),
        (
            movies("items", format="protobuf") | {"schema_registry": {}},
            "schema_registry.url: needed with domains.movies.items",
        ),
        ({"schema_registry": {"url": "registry:8081"}}, "schema_registry.url: write http://host:port"),
        ({"schema_registry": {"url": "ftp://registry"}}, "schema_registry.url: write http://host:port"),
        (
            {"schema_registry": {"url": "http://me:pw@registry"}},
            "schema_registry.url: leave user and password out of it",
        ),
        ({"schema_registry": {"url": "http://registry:x"}}, "schema_registry.url: not a URL"),
        ({"schema_registry": REGISTRY | {"username": "me"}}, "schema_registry.password: needed"),
        ({"schema_registry": REGISTRY | {"password": "pw"}}, "schema_registry.username: needed"),
        (
            {"schema_registry": REGISTRY | {"ssl_cafile": "/nowhere.pem"}},
            "schema_registry.ssl_cafile: there is no file",
        ),
    ],
)
def test_what_cannot_be(raw: dict[str, Any], begins: str) -> None:
    """An error names the key, the fault, and what to write."""
    assert refused({"domains": {"movies": {}}} | raw).startswith(f"config: {begins}")


def test_framed_json_needs_no_registry() -> None:
    """Framed JSON needs no registry, because it is read without its schema."""
    assert build({"domains": {"movies": {"items": {"format": "json_schema"}}}}).schema_registry.url is None


def test_commands_do_not_write_into_such_a_topic() -> None:
    """`replay` and `simulate` write JSON as the contract defines it; other topics of the domain stay open to them."""
    settings = build(movies(format="avro"))
    assert settings.topic_of("items", "movies") == "items.movies"
    with pytest.raises(Stop, match=r"domains\.movies\.interactions says that this topic has another format"):
        settings.topic_of("interactions", "movies")
