"""A process of the demo: its environment, and an end that nobody asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from consumers.demo.shards.member import KILLED, STARTING, Member, Place, environment
from consumers.errors import Stop
from tests.support.service.running import wait_for


def test_keys_of_the_user_s_environment_do_not_reach_the_demo() -> None:
    """Its own place does, and what is no key of a config."""
    given = {"PATH": "/bin", "CROSSCURRENT_CACHE": "/tmp/c", "CROSSCURRENT_REDIS__URL": "redis://real"}
    assert environment(2, 1234, given) == {
        "PATH": "/bin",
        "CROSSCURRENT_CACHE": "/tmp/c",
        "CROSSCURRENT_METRICS__PORT": "1234",
        "CROSSCURRENT_SHARDS__INDEX": "2",
    }
    assert "CROSSCURRENT_SHARDS__INDEX" not in environment(None, 1234, given)


@pytest.mark.timeout(120)
def test_a_process_that_ends_by_itself_ends_the_demo(tmp_path: Path) -> None:
    """With its own last words and exit code. One that was killed on purpose does not."""
    config = tmp_path / "bad.toml"
    config.write_text("[kafka]\nno_such_key = 1\n")
    member = Member(Place(config, 0, tmp_path / "log"))
    assert not member.ended()
    member.start()
    with pytest.raises(Stop, match=r"(?s)shard 0 ended with exit code 2\..*no_such_key") as stopped:
        wait_for(member.ended)
    assert stopped.value.code == 2
    assert member.state == STARTING
    member.kill()
    assert member.ended()
    assert (member.state, member.readings) == (KILLED, ())
    assert not member.idle_since(0.0)
