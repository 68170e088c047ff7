"""The command line: the composition root. Each command connects the parts and leaves the work to them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import click

from consumers import log
from consumers.cli_dead_letters import dead_letters
from consumers.cli_forget import forget
from consumers.cli_options import JSON, NEEDED_CONFIG, write_json
from consumers.config import load
from consumers.errors import BUG, USAGE, Stop
from consumers.evaluation import SCENARIOS, Scenario

CONFIG = click.option(
    "--config",
    "-c",
    "config",
    type=click.Path(path_type=Path),
    help="TOML file; see deploy/crosscurrent.toml.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="crosscurrent")
def cli() -> None:
    """Streaming cross-domain adaptation for recommendation: Kafka in, fresh lists out at Redis.

    \b
    Try it, with nothing else running:
      crosscurrent demo
    In production:
      crosscurrent check --config crosscurrent.toml
      crosscurrent run   --config crosscurrent.toml

    Every config key can be set in the environment: CROSSCURRENT_REDIS__URL=redis://cache:6379/0

    Exit codes: 0 stopped on request; 1 a bug; 2 usage, config, or broker or store unreachable at start;
    3 too many invalid records; 4 checkpoint or offsets unusable; 130, 143 a second signal.
    """


@cli.command()
@NEEDED_CONFIG
@click.option("--accept-gap", is_flag=True, help="Go on although records are gone from the log; counts them.")
@click.option("--report", type=click.Path(path_type=Path), help="Folder for index.html: figures and plots.")
@click.option("--debug", is_flag=True, help="More in the log, with user ids.")
def run(config: Path, accept_gap: bool, report: Path | None, debug: bool) -> int:
    """Consume, learn, publish, until Ctrl-C or SIGTERM.

    \b
    Examples:
      crosscurrent run --config crosscurrent.toml
      crosscurrent run --config crosscurrent.toml --report report
      CROSSCURRENT_METRICS__PORT=9500 crosscurrent run -c crosscurrent.toml
    """
    from consumers.connect import connect_source, connect_store  # noqa: PLC0415  (fast failure first)

    settings = load(config)
    log.configure(debug)
    source = connect_source(settings, accept_gap)
    client = connect_store(settings)
    from consumers.report.writer import of_service  # noqa: PLC0415  (loads torch)
    from consumers.service import Service  # noqa: PLC0415

    service = Service(settings, source, client)
    if report is None:
        return service.run()
    with of_service(report, "Crosscurrent", service):
        return service.run()


@cli.command()
@NEEDED_CONFIG
@click.option("--create-topics", is_flag=True, help="Create the topics that are missing.")
def check(config: Path, create_topics: bool) -> int:
    """Look at everything a start needs: config, broker, topics, store, checkpoints, encoder.

    \b
    Examples:
      crosscurrent check --config crosscurrent.toml
      crosscurrent check --config crosscurrent.toml --create-topics
    """
    from consumers.check import check as findings  # noqa: PLC0415

    bad = 0
    for finding in findings(load(config), create_topics):
        mark = click.style("ok  ", fg="green") if finding.good else click.style("FAIL", fg="red")
        click.echo(f"{mark} {finding.what}: {finding.detail}")
        bad += not finding.good
    return USAGE if bad else 0


@cli.command()
@CONFIG
@click.option("--user", "-u", required=True, help="User id, as in the events.")
@click.option("--domain", "-d", required=True, help="Domain to recommend from.")
@click.option("--top", "-k", default=10, show_default=True, help="How many.")
@JSON
def recommend(config: Path | None, user: str, domain: str, top: int, json_file: Path | None) -> int:
    """Show what services read for a user: titles, scores, why, age, and which fallback it was.

    \b
    Examples:
      crosscurrent recommend --user u000012 --domain books
      crosscurrent recommend -c crosscurrent.toml -u u000012 -d books -k 5
    """
    from consumers.show import show_recommendations  # noqa: PLC0415
    from serving.reader import Reader, Unreachable  # noqa: PLC0415

    settings = load(config, need_domains=False)
    if settings.domains and domain not in settings.domains:
        raise Stop(f"--domain {domain}: the config has {', '.join(settings.domains)}")
    try:
        key = settings.privacy.key if settings.privacy.pseudonyms else None
        reader = Reader(settings.redis.url, settings.redis.prefix, key=key, **settings.redis.client())
        figures = show_recommendations(reader, user, domain, top)
    except Unreachable as error:
        raise Stop(f"{error}. Start it, or set redis.url (CROSSCURRENT_REDIS__URL).") from error
    write_json(json_file, figures)
    return 0


@cli.command()
@CONFIG
@click.option("--out", type=click.Path(path_type=Path), help="Write files and truth.json into this folder.")
@click.option(
    "--layout", type=click.Choice(["csv", "jsonl"]), default="csv", show_default=True, help="With --out."
)
@click.option("--truth", type=click.Path(path_type=Path), help="With --config: write the truth here.")
@click.option("--create-topics", is_flag=True, help="With --config: create missing topics.")
@click.option(
    "--rate",
    type=click.FloatRange(0, min_open=True),
    help="With --config: events per second (default: full speed).",
)
@click.option(
    "--world", type=click.Path(path_type=Path), help="TOML file with a world of your own (see README)."
)
@click.option(
    "--events", type=click.IntRange(1), default=20_000, show_default=True, help="Interactions in all."
)
@click.option("--seed", default=0, show_default=True, help="Same seed, same world and events.")
@click.option(
    "--overlap", type=click.FloatRange(0, 1), default=0.8, show_default=True, help="Share of common users."
)
@click.option(
    "--drift",
    "drifts",
    multiple=True,
    metavar="DOMAIN:KIND:AT[:BIAS]",
    help="sudden, gradual or recurring; AT: share of the events, or an event number. `none`: no drift.",
)
@click.option(
    "--poison",
    "poisons",
    multiple=True,
    metavar="DOMAIN[:AT]",
    help="From AT on this domain's ratings are inverted.",
)
@JSON
def simulate(
    config: Path | None,
    out: Path | None,
    layout: Literal["csv", "jsonl"],
    truth: Path | None,
    create_topics: bool,
    rate: float | None,
    world: Path | None,
    events: int,
    seed: int,
    overlap: float,
    drifts: tuple[str, ...],
    poisons: tuple[str, ...],
    json_file: Path | None,
) -> int:
    """Generate several domains with a known truth, into Kafka or into files.

    Users share tastes across domains; domains have their own biases; titles carry meaning. Without --world: movies
    and books as sources, games as a young target, with a sudden drift in games halfway.

    \b
    Examples:
      crosscurrent simulate --out world --events 50000
      crosscurrent simulate --config crosscurrent.toml --create-topics --rate 500 --truth truth.json
      crosscurrent simulate --out world --drift games:gradual:0.4:0.8 --poison movies:0.5
    """
    from consumers import worlds  # noqa: PLC0415

    if (config is None) == (out is None):
        raise click.UsageError("give either --out DIR or --config FILE")
    settings = worlds.settings(world, events, seed, overlap, drifts, poisons)
    if out is not None:
        figures = worlds.into_files(settings, out, layout)
    else:
        figures = worlds.into_kafka(settings, load(config), rate, truth, create_topics)
    write_json(json_file, figures)
    return 0


@cli.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@NEEDED_CONFIG
@click.option("--domain", "-d", help="Domain of all rows; with a domain column: only its rows.")
@click.option(
    "--map",
    "mapping",
    multiple=True,
    metavar="FIELD=COLUMN",
    help="For layouts that are not recognised, such as user_id=buyer.",
)
@click.option(
    "--rate", type=click.FloatRange(0, min_open=True), help="Events per second (default: full speed)."
)
@click.option("--create-topics", is_flag=True, help="Create missing topics.")
@click.option("--partitions", default=4, show_default=True, help="Of created interaction topics.")
@JSON
def replay(
    files: tuple[Path, ...],
    config: Path,
    domain: str | None,
    mapping: tuple[str, ...],
    rate: float | None,
    create_topics: bool,
    partitions: int,
    json_file: Path | None,
) -> int:
    """Send historical interactions and items into Kafka: CSV, JSON Lines or Parquet, gzip too.

    MovieLens, Amazon Reviews 2023 and our own layout are recognised. Bad rows are counted and named by line.

    \b
    Examples:
      crosscurrent replay ratings.csv movies.csv --domain movies -c crosscurrent.toml --create-topics
      crosscurrent replay interactions.csv.gz items.csv.gz -c crosscurrent.toml --rate 1000
      crosscurrent replay sales.parquet -d shop -c crosscurrent.toml --map user_id=buyer --map item_id=sku
    """
    from consumers.replaying import run_replay  # noqa: PLC0415

    figures = run_replay(files, load(config), domain, mapping, rate, create_topics, partitions)
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

    \b
    Examples:
      crosscurrent explain -c crosscurrent.toml --user alice --item dune --domain books
    """
    from consumers.explaining import run_explain  # noqa: PLC0415  (loads torch)

    write_json(json_file, run_explain(load(config), user, item, domain))
    return 0


@cli.command()
@click.option(
    "--events", default=8_000, show_default=True, type=click.IntRange(1000), help="Simulated events."
)
@click.option("--rate", default=120.0, show_default=True, help="Events per second.")
@click.option("--seed", default=0, show_default=True, help="Seed of the simulated world.")
@click.option(
    "--replay", "files", multiple=True, type=click.Path(exists=True, path_type=Path),
    help="Your own interactions and items instead of simulated ones; repeat it for each file.",
)  # fmt: skip
@click.option(
    "--target", help="With --replay: the domain to transfer into (default: the one with fewest events)."
)
@click.option(
    "--report", default="report", show_default=True, type=click.Path(path_type=Path),
    help="Folder for index.html: figures and plots.",
)  # fmt: skip
@click.option("--keep", is_flag=True, help="Leave broker, store and service running until Ctrl-C.")
@JSON
def demo(
    events: int,
    rate: float,
    seed: int,
    files: tuple[Path, ...],
    target: str | None,
    report: Path,
    keep: bool,
    json_file: Path | None,
) -> int:
    """Stream three simulated domains end to end, with nothing else running, and show what transfer brings.

    Starts a broker and a store of its own, in memory; two source domains, one target with a drift in the middle.

    \b
    Examples:
      crosscurrent demo
      crosscurrent demo --keep
      crosscurrent demo --replay ratings.csv.gz --replay items.csv.gz --target comedy --rate 500
    """
    log.configure(quiet=True)  # the live view tells the story
    from consumers.demo import run_demo  # noqa: PLC0415  (loads torch)
    from consumers.demo_producer import DemoOptions  # noqa: PLC0415

    code, figures = run_demo(DemoOptions(events, rate, seed, files, target, keep, report))
    write_json(json_file, figures)
    return code


@cli.command()
@click.option("--interactions", type=click.Path(path_type=Path), help="Events: .csv, .csv.gz, Parquet …")
@click.option("--items", type=click.Path(path_type=Path), help="Items: every row can be recommended.")
@click.option("--target", help="The domain that is measured; the others are its sources.")
@click.option("--scenario", type=click.Choice(SCENARIOS), help="A simulated world instead of files.")
@CONFIG
@click.option("--encoder", help="Text encoder instead of the config's: hashing, a model name or folder.")
@click.option("--rating-range", "limits", metavar="LO:HI", help="For clipping (default: the file's range).")
@click.option(
    "--predictions", type=click.Path(path_type=Path), help="Parquet file, a row an event, arm and seed."
)
@click.option("--plot", type=click.Path(path_type=Path), help="PNG file: errors along the stream.")
@click.option(
    "--seeds", type=click.IntRange(1), help="How many seeds (default: 1; with --scenario 5, each a world)."
)
@click.option(
    "--strategies", default="", metavar="LIST",
    help="Adaptation strategies to run beside the config's, as arms full_<strategy>: some of none, share, correct, "
    "adversarial, coral, with commas; or `all`.",
)  # fmt: skip
@JSON
def evaluate(
    interactions: Path | None,
    items: Path | None,
    target: str | None,
    scenario: Scenario | None,
    config: Path | None,
    encoder: str | None,
    limits: str | None,
    predictions: Path | None,
    plot: Path | None,
    seeds: int | None,
    strategies: str,
    json_file: Path | None,
) -> int:
    """Measure the learner of `run` on recorded events, in time order, each scored before it is learned.

    Beside it: popularity, co-visitation, text, a batch item-KNN, River's BiasedMF, the target alone. Needs no Kafka.

    With --scenario on a simulated world whose truth is known, adaptation on and off side by side: how far from the
    best possible error, how soon there again after a drift, false alarms, the error of the learned bias.

    \b
    Examples:
      crosscurrent evaluate --interactions events.csv.gz --items items.csv.gz --target books
      crosscurrent evaluate --interactions e.parquet --items i.csv --target books \\
        --encoder all-MiniLM-L6-v2 --seeds 3 --json figures.json --plot stream.png
      crosscurrent evaluate --interactions e.csv --items i.csv --target books --strategies none,share,coral
      crosscurrent evaluate --scenario sudden --seeds 5 --json sudden.json
    """
    files = {"--interactions": interactions, "--items": items, "--target": target}
    if scenario is not None:
        given = files | {
            "--rating-range": limits,
            "--predictions": predictions,
            "--strategies": strategies or None,
        }
        if unwanted := [name for name, value in given.items() if value is not None]:
            raise click.UsageError(f"--scenario makes its own events; leave out {', '.join(unwanted)}")
    settings = load(config, need_domains=False)
    if encoder is not None:
        settings.text_encoder.model = encoder
    if scenario is not None:
        from consumers.evaluation.scenario import SEEDS, run_scenario  # noqa: PLC0415  (loads torch)

        write_json(json_file, run_scenario(scenario, settings, seeds or SEEDS, plot))
        return 0
    if interactions is None or items is None or target is None:
        missing = ", ".join(name for name, value in files.items() if value is None)
        raise click.UsageError(f"missing {missing}; or give --scenario NAME for a simulated world")
    from consumers.evaluation.data import parse_range, parse_strategies  # noqa: PLC0415
    from consumers.evaluation.run import Options, run_evaluation  # noqa: PLC0415

    options = Options(
        interactions,
        items,
        target,
        parse_range(limits),
        predictions,
        plot,
        seeds or 1,
        parse_strategies(strategies),
    )
    write_json(json_file, run_evaluation(options, settings))
    return 0


@cli.command()
@click.option(
    "--interactions", required=True, type=click.Path(path_type=Path), help="Events: .csv, .csv.gz, Parquet …"
)
@click.option("--items", required=True, type=click.Path(path_type=Path), help="Items with titles and text.")
@NEEDED_CONFIG
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Checkpoint folder for `run`.")
@click.option("--domain", "-d", help="Domain of all rows; with a domain column: only its rows.")
@click.option(
    "--holdout", default=0.2, show_default=True, type=click.FloatRange(0, 1, max_open=True),
    help="Share of the events, the last in time, that is measured before it is learned.",
)  # fmt: skip
@click.option("--encoder", help="Text encoder instead of the config's: hashing, a model name or folder.")
@click.option("--no-final-fit", is_flag=True, help="Do not learn the held-out events afterwards.")
@click.option("--force", is_flag=True, help="Replace the checkpoints that are in --out.")
@JSON
def pretrain(
    interactions: Path,
    items: Path,
    config: Path,
    out: Path,
    domain: str | None,
    holdout: float,
    encoder: str | None,
    no_final_fit: bool,
    force: bool,
    json_file: Path | None,
) -> int:
    """Learn historic files into a first checkpoint for `run`, and measure it on their last part in time.

    For history that is NOT in Kafka: `run` then reads its log from the beginning, and an event that is in both is
    learned twice, unless its event_id is among the latest `intake.dedup_events`. Rows with missing values are dropped
    and counted. Needs neither Kafka nor Redis; `run` publishes everything it finds in the checkpoint.

    \b
    Examples:
      crosscurrent pretrain -c crosscurrent.toml --interactions events.csv.gz --items items.csv --out checkpoints
      crosscurrent pretrain -c crosscurrent.toml --interactions ratings.csv --items movies.csv --domain movies \\
        --out warm --holdout 0.1 --json figures.json
      CROSSCURRENT_CHECKPOINT__DIRECTORY=warm crosscurrent run -c crosscurrent.toml
    """
    settings = load(config)
    from consumers.pretraining import Options, run_pretrain  # noqa: PLC0415  (loads torch)

    options = Options(interactions, items, out, domain, holdout, encoder, not no_final_fit, force)
    write_json(json_file, run_pretrain(options, settings))
    return 0


cli.add_command(dead_letters)
cli.add_command(forget)


def main() -> None:
    """Runs a command; turns its outcome into an exit code."""
    sys.exit(_run(cli))


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
    except Exception:
        import traceback  # noqa: PLC0415

        traceback.print_exc()
        return BUG
    return code if isinstance(code, int) else 0


if __name__ == "__main__":
    main()
