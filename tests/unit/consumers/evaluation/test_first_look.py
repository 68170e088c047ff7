"""`evaluate --dry-run` on a first file of one's own: what is understood, and what to do about the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from consumers.cli.main import cli

GERMAN = (
    "Kunde;Artikel;Bereich;Bewertung;Zeitpunkt\n"
    "anna;g1;games;4,5;14.11.2023 22:13\n"
    "anna;m1;movies;3,0;15.11.2023 22:13\n"
)


def dry_run(folder: Path, text: str, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    (folder / "own.csv").write_text(text)
    line = ["evaluate", "--interactions", str(folder / "own.csv"), "--target", "games", "--dry-run", *words]
    assert cli.main(line, standalone_mode=False) == 0
    return " ".join(capsys.readouterr().out.split())


def test_a_german_file_with_decimal_commas_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The column of the domain is named by an option. A rating such as 4,5 is shown as a number."""
    said = dry_run(tmp_path, GERMAN, capsys, "--map", "domain=Bereich")
    assert "rating ← Bewertung numbers 4,5" in said
    assert "domain games: 1 ratings from 4.5 to 4.5 domain movies: 1 ratings from 3 to 3" in said
    assert "nothing to carry over" not in said


def test_a_file_of_one_domain_names_the_columns_that_may_tell_the_domain(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = dry_run(tmp_path, GERMAN, capsys)
    assert "all events are of games, so there is nothing to carry over" in said
    assert "--map domain=COLUMN, one of Bereich" in said
    plain = "user_id,item_id,rating,timestamp\nu,a,4,1400000000\n"
    assert "add the events of other domains to the file" in dry_run(tmp_path, plain, capsys)


def test_a_domain_with_capitals_or_spaces_is_shown_as_it_must_be_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = "user_id,item_id,domain,rating,timestamp\nu,a,games,4,1400000000\nu,b,Board Games!,4,1400000000\n"
    said = dry_run(tmp_path, rows, capsys)
    assert "domain 'Board Games!' is not made of a-z, 0-9, _ and - only: write board-games" in said


def test_repeats_of_an_event_id_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = "user_id,item_id,timestamp,event_id\nu,a,1400000000,e\nu,a,1400000001,e\n"
    assert "1 event left out: its event_id came before" in dry_run(tmp_path, rows, capsys)
