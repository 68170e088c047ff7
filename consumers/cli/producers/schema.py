"""`crosscurrent schema`: print the contract of the topics for machines."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from consumers.cli.options import CONFIG
from consumers.config.loader import load_for_all
from consumers.errors import Stop


@click.command()
@CONFIG
@click.option(
    "--format", "form", type=click.Choice(["json-schema", "asyncapi"]), default="json-schema", show_default=True,
    help="JSON Schema (draft 2020-12), or AsyncAPI 3.",
)  # fmt: skip
@click.option("--topic", help="Only this topic. Its JSON Schema can be given to a validator as it is.")
def schema(config: Path | None, form: str, topic: str | None) -> int:
    """Print what producers write to Kafka, and what the service writes there, as a schema.

    With a config: its topics, rating ranges and types of events. Without one: a domain of any name. Of a topic that the
    config reads in another way than as the contract's JSON, the schema is that of the fields after they were found.

    \b
    Examples:
      crosscurrent schema --format asyncapi -c crosscurrent.toml > asyncapi.json
      crosscurrent schema --topic interactions.books -c crosscurrent.toml > interaction.schema.json
    """
    from consumers.cli.producers.documents import asyncapi, json_schema  # noqa: PLC0415
    from consumers.cli.producers.topics import domain_in, topics  # noqa: PLC0415

    settings = load_for_all(config, need_domains=False)
    every = list(topics(settings, domain_in(topic)))
    wanted = [one for one in every if topic in (None, one.name)]
    if not wanted:
        raise Stop(f"--topic {topic}: there are {', '.join(one.name for one in every)}")
    servers = settings.kafka.bootstrap_servers
    document = json_schema(wanted) if form == "json-schema" else asyncapi(wanted, servers)
    click.echo(msgspec.json.format(msgspec.json.encode(document), indent=2).decode())
    return 0
