"""Where `demo --keep` listens, and the config that it writes."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from consumers.config.loader import build, load
from consumers.demo.addresses import (
    FIRST_LINE,
    Ports,
    as_toml,
    config_file,
    from_environment,
    kept_ports,
    may_write,
)
from consumers.demo.embedded_servers import free_port
from consumers.errors import Stop

CONFIG = {
    "kafka": {"bootstrap_servers": ["127.0.0.1:9092"]},
    "redis": {"url": "redis://127.0.0.1:6379/0"},
    "metrics": {"port": 9464},
    "checkpoint": {"directory": '/tmp/a "folder"'},
    "domains": {"movies": {"role": "source"}, "my-games": {"role": "target", "rating_range": [0.5, 5.0]}},
}


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which another process listens."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


def test_the_usual_ports_if_they_are_free() -> None:
    """And nothing to say."""
    usual = Ports(free_port(), free_port(), free_port())
    assert kept_ports(usual) == (usual, [])


def test_a_port_that_is_taken_is_replaced_and_said(taken: int) -> None:
    """The others stay."""
    usual = Ports(free_port(), taken, free_port())
    ports, said = kept_ports(usual)
    assert ports == usual._replace(redis=None)
    assert said == [f"port {taken} is taken, so Redis gets another"]
    ports, said = kept_ports(usual._replace(redis=free_port(), metrics=taken))
    assert ports.metrics not in {0, taken}
    assert len(said) == 1


def test_the_file_means_what_was_written(tmp_path: Path) -> None:
    """`load` reads the same settings from it; it is gone at the end."""
    path = tmp_path / "demo.toml"
    with config_file(path, CONFIG):
        assert load(path, {}) == build(CONFIG)
        with config_file(path, CONFIG):  # of a demo that was killed
            pass
    assert not path.exists()
    assert as_toml(CONFIG).startswith(FIRST_LINE)


def test_a_file_of_the_user_is_not_overwritten(tmp_path: Path) -> None:
    """The demo stops and says what to do; the file stays."""
    path = tmp_path / "demo.toml"
    path.write_text("[domains.movies]\n")
    with pytest.raises(Stop, match="is not of a demo: move it"):
        may_write(path)
    with pytest.raises(Stop, match="is not of a demo"), config_file(path, CONFIG):
        pass
    assert path.read_text() == "[domains.movies]\n"


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    """No traceback."""
    with pytest.raises(Stop, match="No such file"), config_file(tmp_path / "none" / "demo.toml", CONFIG):
        pass


def test_what_the_demo_takes_of_the_environment() -> None:
    """How it learns and ranks, but no address; with several processes nothing. What it leaves is named."""
    given = {
        "PATH": "/bin", "CROSSCURRENT_CACHE": "/tmp/c", "CROSSCURRENT_RANKER__EXPLORE": "1",
        "CROSSCURRENT_REDIS__URL": "redis://:hunter2@real",
    }  # fmt: skip
    taken, said = from_environment(given, several=False)
    assert taken == {"CROSSCURRENT_RANKER__EXPLORE": "1"}
    assert build(CONFIG, taken).ranker.explore == 1.0
    assert said == ["CROSSCURRENT_REDIS__URL has no effect on the demo: it has its own"]
    assert from_environment(given, several=True)[0] == {}
    assert len(from_environment(given, several=True)[1]) == 2
