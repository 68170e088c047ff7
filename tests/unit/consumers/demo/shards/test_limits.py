"""How many shards the demo shows: as many as memory has room for, with equal shares of the partitions."""

from __future__ import annotations

from pathlib import Path

import pytest

from consumers.demo.shards.limits import MOST_SHARDS, check_shards, free_memory, partitions_for
from consumers.errors import USAGE, Stop
from tests.support.commands import run


@pytest.mark.parametrize("shards", range(2, MOST_SHARDS + 1))
def test_every_shard_has_as_many_partitions(shards: int) -> None:
    """At least eight in all, and the number is allowed with enough memory, and if nobody knows how much there is."""
    assert partitions_for(shards) % shards == 0
    assert 8 <= partitions_for(shards) < 8 + shards
    check_shards(shards, 64_000)
    check_shards(shards, None)


@pytest.mark.parametrize("shards", [0, 1, MOST_SHARDS + 1])
def test_other_numbers_are_refused(shards: int) -> None:
    with pytest.raises(Stop, match=f"--shards {shards}: give 1 .* to {MOST_SHARDS}") as stopped:
        check_shards(shards, None)
    assert stopped.value.code == USAGE


def test_missing_memory_is_named() -> None:
    """With what is needed, what is free, and what to do."""
    with pytest.raises(Stop, match=r"5 processes need about 3\.7 GB of memory, and 2\.0 GB are free\. Give"):
        check_shards(4, 2_000)


def test_free_memory_is_read_from_the_system(tmp_path: Path) -> None:
    """What is available counts, not what is unused; a system without the file tells nothing."""
    told = tmp_path / "meminfo"
    told.write_text("MemTotal: 24000000 kB\nMemFree: 100 kB\nMemAvailable:   2048000 kB\n")
    assert free_memory(told) == 2_000
    assert free_memory(tmp_path / "none") is None
    told.write_text("MemTotal: 24000000 kB\n")
    assert free_memory(told) is None


def test_the_command_refuses_what_it_cannot_show() -> None:
    """Before anything is started: too many, too few, and a service that would have to stay up."""
    for number in ("0", str(MOST_SHARDS + 1)):
        with pytest.raises(Exception, match=f"{number} is not in the range 1<=x<={MOST_SHARDS}"):
            run("demo", "--shards", number)
    with pytest.raises(Exception, match="--keep leaves one process running"):
        run("demo", "--shards", "2", "--keep")
