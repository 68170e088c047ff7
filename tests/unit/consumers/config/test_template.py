"""`crosscurrent init` writes a config that loads unchanged, and in which every key has its default."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from consumers.config.loader import build, load
from consumers.config.schema import DomainConfig, Settings
from consumers.config.template import template
from consumers.simulator.presets import three_domains
from tests.support.commands import run


def uncommented() -> dict[str, Any]:
    """Return what the file says once every # before a key or a table is removed."""
    lines = [re.sub(r"^# (?=[a-z_]+ = |\[)", "", line) for line in template().splitlines()]
    return tomllib.loads("\n".join(lines))


def test_it_loads_as_it_is() -> None:
    """With the three domains of the default simulated world, and defaults everywhere else."""
    settings = build(tomllib.loads(template()))
    assert list(settings.domains) == ["movies", "books", "games"]
    assert list(settings.domains) == [domain.name for domain in three_domains().domains]
    bare = build({"domains": {"movies": {}, "books": {}, "games": {"role": "target"}}})
    assert settings == bare


def test_every_key_is_there_with_its_default() -> None:
    """Uncommented, the file says what no file says. "" stands for a key that is not set."""
    said, defaults = uncommented(), msgspec.to_builtins(Settings())
    for section, keys in defaults.items():
        if section in ("domains", "events", "experiments"):
            continue
        own = {k: v for k, v in keys.items() if not isinstance(v, dict)}
        assert {k: None if v == "" and own[k] is None else v for k, v in said[section].items()} == own
    domain = msgspec.to_builtins(DomainConfig())
    games = said["domains"]["games"] | {"role": domain["role"]}
    tables = {name: games.pop(name) for name in ("interactions", "items")}
    assert games == {
        k: v if not isinstance(v, tuple) else list(v) for k, v in domain.items() if k not in tables
    }
    assert tables["items"] | {"types": {}} == domain["items"]  # types are for interactions only
    assert tables["interactions"] == domain["interactions"]


def test_events_show_types_that_can_be() -> None:
    """The commented example is a config."""
    lines = [
        line[2:]
        for line in template().splitlines()
        if re.match(r"# (\[events|view|like|purchase|skip)", line)
    ]
    settings = build(tomllib.loads("\n".join(lines)) | {"domains": {"movies": {}}})
    assert {name: (own.as_, own.weight) for name, own in settings.events.items()} == {
        "view": ("click", 0.2),
        "like": ("click", 2.0),
        "purchase": ("click", 3.0),
        "skip": ("skip", 1.0),
    }


def test_the_experiment_can_be() -> None:
    """The commented example is a config."""
    pattern = r"# (\[experiments|arms\.|unit = \"user|share = 1|starts)"
    lines = [line[2:] for line in template().splitlines() if re.match(pattern, line)]
    (one,) = build(tomllib.loads("\n".join(lines)) | {"domains": {"movies": {}}}).live_experiments()
    assert (one.name, one.arms["b"].ranker.diversity) == ("variety", 0.3)


def test_init_writes_it_and_refuses_to_overwrite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Into ./crosscurrent.toml, where every command finds it."""
    monkeypatch.chdir(tmp_path)
    code, text = run("init")
    assert (code, "crosscurrent check -c crosscurrent.toml" in text) == (0, True)
    written = tmp_path / "crosscurrent.toml"
    assert written.read_text() == template()
    written.write_text("mine")
    code, text = run("init")
    assert (code, written.read_text()) == (2, "mine")
    assert "is there already" in text
    code, text = run("init", "none/such.toml")
    assert code == 2


def test_the_config_that_commands_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """-c, else $CROSSCURRENT_CONFIG, else ./crosscurrent.toml; else the error names all three."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CROSSCURRENT_CONFIG", raising=False)
    for name in ("given", "named", "here"):
        path = tmp_path / ("crosscurrent.toml" if name == "here" else f"{name}.toml")
        path.write_text(f"[domains.{name}]\n")
    words = ("schema",)
    assert "interactions.here" in run(*words)[1]
    monkeypatch.setenv("CROSSCURRENT_CONFIG", str(tmp_path / "named.toml"))
    assert "interactions.named" in run(*words)[1]
    assert "interactions.given" in run(*words, "-c", "given.toml")[1]
    monkeypatch.setenv("CROSSCURRENT_CONFIG", "gone.toml")
    assert run(*words)[0] == 2


def test_a_command_that_needs_a_config_says_where_to_put_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 2."""
    import click

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CROSSCURRENT_CONFIG", raising=False)
    with pytest.raises(click.UsageError) as caught:
        run("check")
    for word in ("-c FILE", "CROSSCURRENT_CONFIG", "crosscurrent init"):
        assert word in caught.value.message


def test_the_message_for_a_missing_file_names_init(tmp_path: Path) -> None:
    """It used to name a file that an installed service does not have."""
    from consumers.errors import Stop

    with pytest.raises(Stop, match="crosscurrent init writes one"):
        load(tmp_path / "none.toml")
