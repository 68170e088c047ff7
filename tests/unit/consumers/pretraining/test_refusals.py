"""`pretrain` refuses unusable input, and says why."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from consumers.errors import STATE_UNUSABLE, USAGE, Stop
from consumers.pretraining.options import PretrainOptions
from consumers.pretraining.run import run_pretrain
from consumers.service.offline import offline_pipeline
from models.state.checkpoint import CheckpointDirectory
from tests.support.learners.pretrained import config, pretrain, rows_of, write_rows


def test_a_folder_with_a_checkpoint_is_refused_unless_forced(small: Path) -> None:
    """A folder with a checkpoint is exit code 2; with `force` the new one replaces it. Other files stay."""
    (small / "out").mkdir()
    (small / "out" / "notes.txt").write_text("mine")
    first = Path(pretrain(small)[0]["checkpoint"])
    with pytest.raises(Stop, match="--force") as stopped:
        pretrain(small, interactions=small / "none.csv")
    assert stopped.value.code == USAGE
    second = Path(pretrain(small, force=True)[0]["checkpoint"])
    assert second != first
    assert [p for p in (small / "out").iterdir() if p.is_dir()] == [second]
    assert (small / "out" / "notes.txt").exists()


def test_another_text_encoder_is_for_a_config_that_names_it(small: Path) -> None:
    """The checkpoint says which encoder made its vectors; `run` with another one is refused."""
    settings = config()
    settings.text_encoder.model = "some-model"
    options = PretrainOptions(
        small / "interactions.csv.gz", small / "items.csv.gz", small / "out", encoder="hashing"
    )
    said = io.StringIO()
    run_pretrain(options, settings, Console(file=said, width=200))
    assert "CROSSCURRENT_TEXT_ENCODER__MODEL=hashing" in said.getvalue()
    state, _ = CheckpointDirectory(small / "out", read_only=True).load()
    assert state is not None
    other = config()
    other.text_encoder.model = "some-model"
    with pytest.raises(ValueError, match="hashing"):
        offline_pipeline(other).load(state)


def test_what_cannot_be_used_is_one_line(small: Path) -> None:
    """Missing or swapped files, and no event of the config's domains, are refused."""
    with pytest.raises(Stop, match=r"none\.csv: No such file") as stopped:
        pretrain(small, interactions=small / "none.csv")
    assert stopped.value.code == USAGE
    with pytest.raises(Stop, match="this file holds items"):
        pretrain(small, interactions=small / "items.csv.gz")
    write_rows(small, [r | {"domain": "music"} for r in rows_of(small)])
    with pytest.raises(Stop, match=r"no usable event .*movies, games.*it has music"):
        pretrain(small)
    assert not (small / "out").exists()


def test_domains_that_the_config_lacks_are_told_before_all_is_read(
    small: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The later rows may be of other domains, so reading goes on."""
    with pytest.raises(
        Stop, match=r"--domain music: the config has movies, games: add \[domains\.music\] to it"
    ):
        pretrain(small, domain="music")
    rows = rows_of(small)
    pretrain(small, dry_run=True)
    assert "none of the first" not in capsys.readouterr().err
    write_rows(small, [r | {"domain": "music"} for r in rows])
    with pytest.raises(Stop, match="no usable event"):
        pretrain(small, dry_run=True)
    said = " ".join(capsys.readouterr().err.split())
    assert f"none of the first {len(rows):,} rows is of a domain that is used (movies, games)" in said
    assert "they are of music. The config must name the domains of the file" in said


def test_a_folder_in_use_is_refused(small: Path) -> None:
    """A folder that a service has locked is exit code 4."""
    from consumers.service.saving.checkpointer import Checkpointer

    holder = Checkpointer(small / "out", 1.0, lambda *_: None)
    with pytest.raises(Stop, match="another process") as stopped:
        pretrain(small)
    assert stopped.value.code == STATE_UNUSABLE
    holder.close()
