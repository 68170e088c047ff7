"""Pretrain on a small simulated world."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from consumers.config.loader import build
from consumers.config.schema import Settings
from consumers.events.record import Record
from consumers.pretraining.options import PretrainOptions
from consumers.pretraining.run import run_pretrain
from consumers.service.pipeline import Pipeline
from consumers.simulator.event_stream import Simulator
from consumers.simulator.output import write_files
from consumers.simulator.world_settings import DomainSpec, WorldSettings
from models.state.checkpoint import CheckpointDirectory
from tests.support.doubles import ListSource
from tests.support.service.pipelines import list_pipeline

Row = dict[str, str]


START = 1_700_000_000


def config(**learner: Any) -> Settings:
    return build(
        {
            "domains": {"movies": {}, "games": {"role": "target"}},
            "learner": {"users": 200, "items_per_domain": 100, **learner},
            "intake": {"network_events": 64},
        }
    )


def pretrain(folder: Path, out: str = "out", **options: Any) -> tuple[dict[str, Any], str]:
    """Run `pretrain`; return its report and output."""
    files = {"interactions": folder / "interactions.csv.gz", "items": folder / "items.csv.gz"}
    said = io.StringIO()
    made = PretrainOptions(**(files | {"out": folder / out} | options))
    return run_pretrain(made, config(), Console(file=said, width=200))[1], said.getvalue()


def restored(folder: Path, out: str = "out", log: Sequence[Record] = ()) -> Pipeline:
    """Return the pipeline of `run` after its start on this log."""
    state, problems = CheckpointDirectory(folder / out, read_only=True).load()
    assert not problems
    assert state is not None
    pipeline = list_pipeline(config(), ListSource(log))
    pipeline.load(state)
    pipeline.source.start(pipeline.offsets, {})
    return pipeline


def rows_of(folder: Path) -> list[Row]:
    with gzip.open(folder / "interactions.csv.gz", "rt") as file:
        return list(csv.DictReader(file))


def write_rows(folder: Path, rows: list[Row]) -> None:
    with gzip.open(folder / "interactions.csv.gz", "wt") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def make_world(folder: Path, events: int) -> Path:
    domains = (DomainSpec("movies", users=40, items=50), DomainSpec("games", users=40, items=30, share=0.6))
    write_files(Simulator(WorldSettings(domains, events=events)), folder)
    return folder
