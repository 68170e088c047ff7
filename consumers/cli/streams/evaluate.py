"""`crosscurrent evaluate`: measure the learner on events or in a known world, or other policies on impressions."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import click
import msgspec

from consumers.cli.options import (
    CONFIG,
    ENCODER,
    JSON,
    asking_options,
    gathered,
    is_named,
    table_options,
    tell_found_config,
    write_json,
)
from consumers.config.loader import load_for_all
from consumers.config.schema import Settings
from consumers.datasets.options import ReadOptions
from consumers.evaluation.impressions.options import ImpressionOptions
from consumers.evaluation.options import EvaluateOptions
from consumers.evaluation.scenarios.kinds import CLOSED_LOOP, SCENARIOS, Scenario
from consumers.simulator.closed_loop.settings import IMPRESSIONS, WORLDS, WorldName
from models.exposure.examination import RANKS
from models.settings import STRATEGIES


class _Asked(msgspec.Struct, frozen=True):
    """All options of the command but `--json`."""

    interactions: Path | None
    items: Path | None
    target: str | None
    scenario: Scenario | Literal["closed-loop"] | None
    worlds: tuple[WorldName, ...]
    lists: int | None
    impressions: Path | None
    policies: tuple[str, ...]
    curve: str | None
    top: int | None
    config: Path | None
    encoder: str | None
    reading: ReadOptions
    dry_run: bool
    yes: bool
    predictions: Path | None
    plot: Path | None
    seeds: int | None
    strategies: str
    shards: int
    lag_seconds: float | None
    lag_events: int | None


@click.command()
@click.option("--interactions", type=click.Path(path_type=Path), help="Events: .csv, .csv.gz, Parquet …")
@click.option(
    "--items",
    type=click.Path(path_type=Path),
    help="Items; all of them can be recommended (default: those of the events, without text).",
)
@click.option("--target", help="The domain that is measured; the others are its sources.")
@click.option(
    "--scenario", type=click.Choice((*SCENARIOS, CLOSED_LOOP)), help="A simulated world instead of files."
)
@click.option(
    "--impressions",
    type=click.Path(path_type=Path),
    help="Logged impressions (JSON lines): value other ways to rank them, by --policy.",
)
@click.option(
    "--policy",
    "policies",
    multiple=True,
    metavar="POLICY",
    help="What is valued; may be repeated: greedy, uniform, plackett-luce:TAU[:SHARE], "
    "scores:NAME[:TAU[:SHARE]] or probabilities:NAME.",
)
@click.option(
    "--curve",
    metavar="CURVE",
    help="Examination of places: learned (default), prior, flat, or numbers such as 1,0.7,0.5.",
)
@click.option(
    "--top",
    type=click.IntRange(1, RANKS),
    help=f"Places that are valued (default: {RANKS}); 1 needs no click model.",
)
@CONFIG
@ENCODER
@table_options
@asking_options
@click.option(
    "--predictions",
    type=click.Path(path_type=Path),
    help="Parquet file with a row for each event, arm and seed.",
)
@click.option(
    "--plot",
    type=click.Path(path_type=Path),
    help="PNG or SVG file: errors, and what transfer brings, along the stream.",
)
@click.option(
    "--seeds",
    type=click.IntRange(1),
    help="Number of seeds (default: 1; with --scenario 5, a world for each).",
)
@click.option(
    "--strategies", default="", metavar="LIST",
    help=f"More adaptation strategies to run, as arms full_<strategy>: some of {', '.join(STRATEGIES)}, "
    "separated by commas; or `all`.",
)  # fmt: skip
@click.option(
    "--shards", default=1, show_default=True, type=click.IntRange(1),
    help="Also learn as this many shards, as arms full_shards and full_isolated (which share nothing).",
)  # fmt: skip
@click.option(
    "--lag-seconds", type=click.FloatRange(0),
    help="Event time after which shards learn of each other's events (default: 1 with --shards).",
)  # fmt: skip
@click.option("--lag-events", type=click.IntRange(0), help="Events of all shards after which they do.")
@click.option(
    "--world", "worlds", multiple=True, type=click.Choice(WORLDS),
    help="With --scenario closed-loop: a world to run; may be repeated (default: all).",
)  # fmt: skip
@click.option(
    "--lists", type=click.IntRange(100), show_default="50000",
    help="With --scenario closed-loop: lists that each policy shows, after two fifths of that number that all share.",
)  # fmt: skip
@JSON
@gathered(_Asked, "asked")
def evaluate(asked: _Asked, json_file: Path | None) -> int:
    """Measure the learner of `run` on recorded events, in time order, each scored before it is learned.

    Files are read as `replay` reads them: first the command says how it understands them. It needs no Kafka.
    Every domain but the target is a source, unless the config that -c names says otherwise.

    It also measures popularity, co-visitation, text, a batch item-KNN, River's BiasedMF, and the target alone. The last
    lines say in words what transfer brings to the target and how sure that is.

    With --scenario it learns a simulated world whose truth is known, with adaptation on and off. It reports the
    distance from the best possible error, the recovery after a drift, false alarms, and the error of the learned bias.

    With --impressions it values other policies from the clicks on logged lists, whose places were drawn with known
    probabilities (off-policy evaluation): the clicks of one list in the states of the log. Exit code 1 means that the
    log cannot tell the value of a policy. The file's format is in the documentation for data scientists.

    With --scenario closed-loop, simulated users choose only among what the lists show them, and the learner learns from
    that alone. Three policies run: greedy (explore = 0), explore (explore = 1, or what the config says), and informed,
    which is greedy and told how appealing each item truly is. The table shows the clicks of each, and what it misses.

    \b
    Examples:
      crosscurrent evaluate --interactions ratings.csv --target games --plot stream.png
      crosscurrent evaluate --interactions events.csv.gz --items items.csv.gz --target books
      crosscurrent evaluate --interactions e.parquet --items i.csv --target books \\
        --encoder all-MiniLM-L6-v2 --seeds 3 --json figures.json --plot stream.png
      crosscurrent evaluate --interactions e.csv --items i.csv --target books --strategies none,share,coral
      crosscurrent evaluate --interactions log.csv --items i.csv --target shop --map user_id=visitor \\
        --type view=click,sale=rating:5 --dry-run
      crosscurrent evaluate --interactions e.csv --items i.csv --target books --shards 4 --lag-seconds 1
      crosscurrent evaluate --scenario sudden --seeds 5 --json sudden.json
      crosscurrent evaluate --impressions shown.jsonl.gz --policy greedy --policy plackett-luce:0.1:0.05
      crosscurrent evaluate --scenario closed-loop --world mute --seeds 2 --lists 10000 --json loop.json
    """
    if asked.scenario is not None:
        _refuse("--scenario makes its own events", asked)
    if asked.impressions is not None:
        return _value_policies(asked, json_file)
    _refuse_policies(asked)
    of_files = asked.scenario is None
    tell_found_config(asked.config, ", without its domains" if of_files else "")
    settings = load_for_all(asked.config, need_domains=False)
    if of_files and not is_named():
        settings.domains = {}  # a config of another stream may lie in this folder
    if asked.encoder is not None:
        settings.text_encoder.model = asked.encoder
    if asked.scenario == "closed-loop":
        write_json(json_file, _closed_loop(asked, settings))
        return 0
    if asked.worlds or asked.lists is not None:
        raise click.UsageError(f"--world and --lists need --scenario {CLOSED_LOOP}")
    if asked.scenario is not None:
        from consumers.evaluation.scenarios.command import SEEDS, run_scenario  # noqa: PLC0415  (loads torch)

        write_json(json_file, run_scenario(asked.scenario, settings, asked.seeds or SEEDS, asked.plot))
        return 0
    if asked.shards == 1 and (asked.lag_seconds, asked.lag_events) != (None, None):
        raise click.UsageError("--lag-seconds and --lag-events need --shards of 2 or more")
    options = _of_files(asked)
    from consumers.evaluation.evaluate import run_evaluation  # noqa: PLC0415  (loads torch)

    code, figures = run_evaluation(options, settings)
    write_json(json_file, figures)
    return code


def _value_policies(asked: _Asked, json_file: Path | None) -> int:
    """Value policies from impressions. Raises UsageError if there is no policy, or for options about something else."""
    _refuse("--impressions says what was shown", msgspec.structs.replace(asked, target=None))
    other = {
        "--scenario": asked.scenario,
        "--plot": asked.plot,
        "--seeds": asked.seeds,
        "--encoder": asked.encoder,
    }
    if unwanted := [name for name, value in other.items() if value is not None]:
        raise click.UsageError(f"--impressions does not go with {', '.join(unwanted)}")
    if asked.impressions is None or not asked.policies:
        raise click.UsageError("--impressions needs what is valued: --policy, such as --policy greedy")
    from consumers.evaluation.impressions.run import run_impressions  # noqa: PLC0415  (loads numba)

    curve, top = asked.curve or "learned", asked.top or RANKS
    code, figures = run_impressions(
        ImpressionOptions(asked.impressions, asked.policies, asked.target, curve, top)
    )
    write_json(json_file, figures)
    return code


def _refuse_policies(asked: _Asked) -> None:
    """Refuse options about policies. Raises UsageError."""
    given = {"--policy": asked.policies or None, "--curve": asked.curve, "--top": asked.top}
    if unwanted := [name for name, value in given.items() if value is not None]:
        raise click.UsageError(f"{', '.join(unwanted)}: give --impressions FILE, too")


def _closed_loop(asked: _Asked, settings: Settings) -> dict[str, Any]:
    """Run the closed loops that are asked for. Raises UsageError and Stop."""
    if asked.plot is not None:
        raise click.UsageError(f"--scenario {CLOSED_LOOP} has no --plot")
    from consumers.evaluation.closed_loop.command import SEEDS, LoopOptions, run_closed_loop  # noqa: PLC0415

    options = LoopOptions(asked.worlds or WORLDS, asked.lists or IMPRESSIONS, asked.seeds or SEEDS)
    return run_closed_loop(options, settings)


def _refuse(why: str, asked: _Asked) -> None:
    """Refuse options about files of events. Raises UsageError."""
    given = {
        "--interactions": asked.interactions,
        "--items": asked.items,
        "--target": asked.target,
        "options for reading files": None if asked.reading == ReadOptions() else asked.reading,
        "--dry-run": asked.dry_run or None,
        "--predictions": asked.predictions,
        "--strategies": asked.strategies or None,
        "--shards": asked.shards if asked.shards > 1 else None,
        "--lag-seconds": asked.lag_seconds,
        "--lag-events": asked.lag_events,
    }
    if unwanted := [name for name, value in given.items() if value is not None]:
        raise click.UsageError(f"{why}; leave out {', '.join(unwanted)}")


def _of_files(asked: _Asked) -> EvaluateOptions:
    """Return the options for an evaluation of files. Raises UsageError if one is missing, Stop for bad strategies."""
    if asked.interactions is None or asked.target is None:
        files = {"--interactions": asked.interactions, "--target": asked.target}
        missing = ", ".join(name for name, value in files.items() if value is None)
        raise click.UsageError(f"missing {missing}; or give --scenario NAME for a simulated world")
    from consumers.evaluation.dataset import parse_strategies  # noqa: PLC0415  (loads torch)

    return EvaluateOptions(
        asked.interactions,
        asked.items,
        asked.target,
        asked.reading,
        asked.predictions,
        asked.plot,
        asked.seeds or 1,
        parse_strategies(asked.strategies),
        asked.shards,
        asked.lag_seconds,
        asked.lag_events,
        asked.dry_run,
        asked.yes,
        asked.config,
    )
