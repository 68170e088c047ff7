"""On a full disk a running service pauses, says why, and goes on once there is room."""

from __future__ import annotations

import contextlib
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.service.faults import Watch
from tests.support.service.running import wait_for
from tests.support.service.service_world import World

pytestmark = pytest.mark.timeout(400)  # several starts, on a machine that may be busy

TMPFS_BYTES = 32 * 1024 * 1024


class Disk:
    """A small tmpfs if mounting is allowed; otherwise the process's limit on file sizes stands in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", f"size={TMPFS_BYTES}", "tmpfs", str(folder)]
        try:
            self.mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
        except FileNotFoundError:
            self.mounted = False

    def fill(self, pid: int) -> None:
        """Leave no room for a checkpoint of process `pid`."""
        if self.mounted:
            with (self.folder / "filler").open("wb", buffering=0) as file, contextlib.suppress(OSError):
                while file.write(bytes(4096)):
                    pass
        else:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (50_000, resource.RLIM_INFINITY))

    def make_room(self, pid: int) -> None:
        if self.mounted:
            (self.folder / "filler").unlink()
        else:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

    def close(self) -> None:
        if self.mounted:
            subprocess.run(["umount", "-l", str(self.folder)], check=True)


@pytest.fixture
def full(
    request: pytest.FixtureRequest, tmp_path: Path, one_bootstrap: str, topic_prefix: str
) -> Iterator[tuple[Watch, Disk]]:
    """Prepare the service for a start with its checkpoints on this disk."""
    disk = Disk(tmp_path / "disk")
    world = World(tmp_path, one_bootstrap, request.getfixturevalue("redis_store").url, topic_prefix)
    config = world.service.config
    config.write_text(config.read_text().replace(str(tmp_path / "checkpoints"), str(disk.folder / "c")))
    yield Watch(world), disk
    world.close()
    disk.close()


def test_a_full_disk_pauses_the_stream_until_there_is_room(full: tuple[Watch, Disk]) -> None:
    """The service is not ready, reads and commits nothing, and leaves no half checkpoint; with room it learns all.

    A stop while it is full is exit code 4, and the next start learns what was not saved, once.
    """
    watch, disk = full
    service = watch.world.service
    watch.start()
    assert service.process is not None
    checkpoints = disk.folder / "c"
    disk.fill(service.process.pid)
    watch.wait_until_unready("checkpoint cannot be written")
    saved = {path.name for path in checkpoints.iterdir()}
    learned = watch.learned()
    watch.produce(200)
    with pytest.raises(AssertionError, match="pauses"):
        wait_for(lambda: watch.learned() != learned, 5, "pauses")
    assert service.get("/healthz")[0] == 200
    assert {p.name for p in checkpoints.iterdir() if not p.name.startswith("writing-")} == saved
    disk.make_room(service.process.pid)
    watch.wait_until_caught_up()
    assert {path.name for path in checkpoints.iterdir()} != saved

    disk.fill(service.process.pid)
    watch.wait_until_unready("checkpoint cannot be written")
    assert service.stop() == 4
    said = service.log.read_text()
    assert "nothing was committed. Make room" in said
    assert "Traceback" not in said
    if disk.mounted:  # the limit went with its process
        disk.make_room(0)
    watch.produce(50)
    service.start()
    wait_for(lambda: watch.counts() == watch.expected, why="each exactly once")
    service.wait_until_ready()
    assert service.stop() == 0
