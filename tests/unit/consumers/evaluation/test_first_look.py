"""`evaluate --dry-run` on a first file of one's own: what is understood, and what to do about the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from consumers.cli.main import cli
from consumers.errors import Stop

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


TWO = "user_id,item_id,domain,rating,timestamp\nu,a,games,4,1400000000\nu,b,books,4,1400000001\n"
OTHER_ROLES = '[domains.books]\nrole = "target"\n[domains.movies]\nrole = "source"\n'


def test_a_config_that_was_found_decides_no_roles(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be that of another stream. A config that was named decides, and is named where a domain is left out."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "crosscurrent.toml").write_text(OTHER_ROLES)
    words = ["evaluate", "--interactions", "own.csv", "--target", "games", "--dry-run"]
    (tmp_path / "own.csv").write_text(TWO)
    assert cli.main(words, standalone_mode=False) == 0
    said = capsys.readouterr()
    assert said.err == (
        "config: crosscurrent.toml, found in this folder, without its domains; -c FILE names another\n"
    )
    assert "left out" not in said.out
    assert cli.main([*words, "-c", "crosscurrent.toml"], standalone_mode=False) == 0
    said = capsys.readouterr()
    assert "config:" not in said.err
    assert (
        'config crosscurrent.toml gives domain books the role "target", so it is left out as a source'
        in said.out
    )


def test_the_hint_for_a_file_of_one_domain_comes_before_the_counts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = dry_run(tmp_path, GERMAN, capsys)
    assert said.index("--map domain=COLUMN") < said.index("domain games: 2 ratings")


def test_items_without_titles_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    items = tmp_path / "items.csv"
    items.write_text("item_id,price\na,3\n")
    said = dry_run(tmp_path, TWO, capsys, "--items", str(items))
    assert "items.csv: no item has a title or text, so the items have no text" in said
    items.write_text("item_id,title\na,Chess\n")
    assert "no text" not in dry_run(tmp_path, TWO, capsys, "--items", str(items))


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--plot", "stream.pdf"), r"--plot stream\.pdf: its name must end in \.png or \.svg"),
        (("--plot", "nowhere/stream.png"), "there is no folder nowhere"),
        (("--encoder", "/no/such/model"), "/no/such/model"),
    ],
)
def test_what_would_fail_at_the_end_fails_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], why: str
) -> None:
    with pytest.raises(Stop, match=why):
        dry_run(tmp_path, TWO, capsys, *words)
