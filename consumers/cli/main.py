"""The command line: the composition root. Each command connects the parts and leaves the work to them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click
import structlog

from consumers.cli.lazy_group import LazyGroup
from consumers.cli.options import CONFIG, JSON, NEEDED_CONFIG, write_json
from consumers.config.loader import load, load_for_all, load_for_check
from consumers.errors import BUG, USAGE, Stop
from consumers.terminal import log, output
from consumers.terminal.leaving import leave

LOADED_WHEN_WANTED = {
    "dead-letters": "consumers.cli.dead_letters",
    "forget": "consumers.cli.forget",
    "init": "consumers.cli.init",
    "check-event": "consumers.cli.producers.check_event",
    "schema": "consumers.cli.producers.schema",
    "experiment": "consumers.cli.states.experiment",
    "change-encoder": "consumers.cli.states.change_encoder",
    "rescale": "consumers.cli.states.rescale",
    "bench": "consumers.cli.streams.bench",
    "demo": "consumers.cli.streams.demo",
    "evaluate": "consumers.cli.streams.evaluate",
    "pretrain": "consumers.cli.streams.pretrain",
    "replay": "consumers.cli.streams.replay",
    "simulate": "consumers.cli.streams.simulate",
}
"""The modules of commands that are not defined here, by the command's name."""


@click.group(
    cls=LazyGroup, modules=LOADED_WHEN_WANTED,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)  # fmt: skip
@click.version_option(package_name="crosscurrent")
def cli() -> None:
    """Streaming cross-domain adaptation for recommendation: events in from Kafka, fresh lists out to Redis.

    \b
    Try it, with nothing else running:
      crosscurrent demo
    In production:
      crosscurrent init
      crosscurrent check --create-topics
      crosscurrent run

    The config is that of -c, else of CROSSCURRENT_CONFIG, else ./crosscurrent.toml. Every key of it can be set in the
    environment: CROSSCURRENT_REDIS__URL=redis://cache:6379/0

    \b
    Completion of commands and options, for bash (zsh and fish likewise); put the line into ~/.bashrc:
      eval "$(_CROSSCURRENT_COMPLETE=bash_source crosscurrent)"

    Exit codes: 0 stopped on request; 1 a bug; 2 usage, config, or broker or store unreachable at start;
    3 too many invalid records; 4 checkpoint or offsets unusable; 130, 143 a second signal; 141 its output was closed.
    """


@cli.command()
@NEEDED_CONFIG
@click.option(
    "--accept-gap", is_flag=True, help="Go on although records are gone from the log, and count them."
)
@click.option("--report", type=click.Path(path_type=Path), help="Folder for a page with figures and plots.")
@click.option("--debug", is_flag=True, help="Log more, with user ids.")
def run(config: Path, accept_gap: bool, report: Path | None, debug: bool) -> int:
    """Consume, learn, publish, until Ctrl-C or SIGTERM.

    \b
    Examples:
      crosscurrent run --config crosscurrent.toml
      crosscurrent run --config crosscurrent.toml --report report
      CROSSCURRENT_METRICS__PORT=9500 crosscurrent run -c crosscurrent.toml
    """
    return _logged(debug, partial(_serve, config, accept_gap, report))


@cli.command()
@NEEDED_CONFIG
@click.option("--debug", is_flag=True, help="Log more.")
def network(config: Path, debug: bool) -> int:
    """Train the network of several shards, and publish its weights to them, until Ctrl-C or SIGTERM.

    It reads items and what the shards tell each other of events, no users. One such process belongs to all shards of a
    service; while it is away, they go on with its last weights. Keep its part of checkpoint.directory.

    \b
    Examples:
      crosscurrent network --config crosscurrent.toml
      CROSSCURRENT_METRICS__PORT=9500 crosscurrent network -c crosscurrent.toml
    """
    return _logged(debug, partial(_train, config))


def _logged(debug: bool, serve: Callable[[], int]) -> int:
    """Run a service, whose log a program may collect; return its exit code."""
    log.configure(debug)
    try:
        return serve()
    except Stop as stop:
        if sys.stderr.isatty():
            raise
        # A program that collects the log must get this last line too, so it is written like the others.
        structlog.get_logger().error(str(stop), exit_code=stop.code)
        return stop.code


def _train(config: Path) -> int:
    from consumers.connections import connect_source, reserve_port  # noqa: PLC0415  (fast failure first)

    settings = load_for_all(config)
    if not settings.shards.several:
        raise Stop(
            "shards.count is 1: one process trains its network itself, and needs no crosscurrent network"
        )
    port = reserve_port(settings.metrics)
    source = connect_source(settings, network=True)
    from consumers.service.service import Service  # noqa: PLC0415  (loads torch)

    return Service(settings, source, None, port).run()


def _serve(config: Path, accept_gap: bool, report: Path | None) -> int:
    from consumers.connections import connect_both, reserve_port  # noqa: PLC0415  (fast failure first)

    settings = load(config)
    port = reserve_port(settings.metrics)
    source, client = connect_both(settings, accept_gap)
    from consumers.report.writer import of_service  # noqa: PLC0415  (loads torch)
    from consumers.service.service import Service  # noqa: PLC0415

    service = Service(settings, source, client, port)
    if report is None:
        return service.run()
    with of_service(report, "Crosscurrent", service):
        return service.run()


@cli.command()
@NEEDED_CONFIG
@click.option("--create-topics", is_flag=True, help="Create the topics that are missing.")
def check(config: Path, create_topics: bool) -> int:
    """Check everything that a start needs: config, broker, topics, store, checkpoints, encoder.

    \b
    Examples:
      crosscurrent check --config crosscurrent.toml
      crosscurrent check --config crosscurrent.toml --create-topics
    """
    from consumers.cli.check import check as findings  # noqa: PLC0415

    bad = 0
    for finding in findings(load_for_check(config), create_topics):
        mark = click.style("ok  ", fg="green") if finding.good else click.style("FAIL", fg="red")
        mark = click.style("warn", fg="yellow") if finding.good and finding.warns else mark
        click.echo(f"{mark} {finding.what}: {finding.detail}")
        bad += not finding.good
    return USAGE if bad else 0


@cli.command()
@CONFIG
@click.option("--user", "-u", required=True, help="User id, as in the events.")
@click.option("--domain", "-d", required=True, help="Domain to recommend from.")
@click.option("--top", "-k", default=10, show_default=True, type=click.IntRange(1), help="Number of items.")
@JSON
def recommend(config: Path | None, user: str, domain: str, top: int, json_file: Path | None) -> int:
    """Show what services read for a user: titles, scores, why, age, and which fallback it was.

    \b
    Examples:
      crosscurrent recommend --user u000012 --domain books
      crosscurrent recommend -c crosscurrent.toml -u u000012 -d books -k 5
    """
    from consumers.terminal.recommendations import show_recommendations  # noqa: PLC0415
    from serving.client import Reader, Refused, UnknownDomain, Unreachable  # noqa: PLC0415

    settings = load_for_all(config, need_domains=False)
    if settings.domains and domain not in settings.domains:
        raise Stop(f"--domain {domain}: the config has {', '.join(settings.domains)}")
    try:
        key = settings.privacy.key if settings.privacy.pseudonyms else None
        reader = Reader(settings.redis.url, settings.redis.prefix, key=key, **settings.redis.client())
        figures = show_recommendations(reader, user, domain, top)
    except Refused as error:
        raise Stop(f"{error}. See redis.username and redis.password.") from error
    except Unreachable as error:
        raise Stop(f"{error}. Start it, or set redis.url (CROSSCURRENT_REDIS__URL).") from error
    except UnknownDomain as error:
        raise Stop(f"--domain {domain}: {error}") from error
    write_json(json_file, figures)
    return 0


@cli.command()
@NEEDED_CONFIG
@click.option("--user", "-u", required=True, help="User id, as in the events.")
@click.option("--item", "-i", required=True, help="Item id, as in the events.")
@click.option("--domain", "-d", required=True, help="The item's domain.")
@JSON
def explain(config: Path, user: str, item: str, domain: str, json_file: Path | None) -> int:
    """Say why an item is (or is not) recommended to a user, from the newest checkpoint.

    It asks neither Kafka nor Redis. A list in the store may be newer than the checkpoint. The page "How it learns" of
    the documentation says what the parts mean.

    \b
    Examples:
      crosscurrent explain -c crosscurrent.toml --user alice --item dune --domain books
    """
    from consumers.cli.explain import run_explain  # noqa: PLC0415  (loads torch)

    write_json(json_file, run_explain(load(config), user, item, domain))
    return 0


def main() -> None:
    """Run a command and turn its outcome into an exit code."""
    output.guard()
    code = 0
    try:
        code = _run(cli)
        sys.stdout.flush()
    except output.ReaderGone:
        output.end_by_sigpipe()
    except Stop as stop:  # The flush failed. A command that has failed has already said why.
        if not code:
            click.echo(f"crosscurrent: {stop}", err=True)
            code = stop.code
    output.drop()
    leave(code)


def _run(command: Callable[..., Any]) -> int:  # noqa: PLR0911  one line an outcome
    try:
        code = command(standalone_mode=False)
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except click.Abort:
        return 130
    except click.ClickException as error:
        error.show()
        return USAGE
    except Stop as stop:
        click.echo(f"crosscurrent: {stop}", err=True)
        return stop.code
    except KeyboardInterrupt:
        return 130
    except output.ReaderGone:
        raise
    except Exception:
        import traceback  # noqa: PLC0415

        traceback.print_exc()
        return BUG
    return code if isinstance(code, int) else 0
