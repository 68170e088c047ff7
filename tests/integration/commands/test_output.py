"""Standard output that cannot be written, of every command: no traceback, an exit code as other tools have it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from consumers.demo.embedded_servers import Server
from consumers.errors import USAGE
from consumers.kafka_client.topics import create_topics
from tests.support.service.running import PATIENCE, Running
from tests.support.service.service_world import DOMAINS

NOBODY_READS, FULL_DISK, NONE = "nobody reads", "full disk", "none"


def run(how: str, *words: str, error: str = "") -> tuple[int, list[str]]:
    """Return exit code (below 0: the signal) and lines on stderr of a command with this stdout.

    error: a redirection of the shell for stderr.
    """
    line = ["sh", "-c", 'exec "$@"' + (" >&-" if how == NONE else "") + " " + error, "sh"]
    reader, writer = os.pipe()
    os.close(reader)
    target = os.open("/dev/full", os.O_WRONLY) if how == FULL_DISK else os.dup(writer)
    try:
        done = subprocess.run(
            [*line, sys.executable, "-m", "consumers.cli", *words],
            stdout=target, stderr=subprocess.PIPE, timeout=PATIENCE, check=False,
        )  # fmt: skip
    finally:
        os.close(writer)
        os.close(target)
    return done.returncode, done.stderr.decode().splitlines()


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory, one_bootstrap: str, redis_store: Server) -> str:
    """Return the config of a service that was never started, but whose topics exist."""
    service = Running(tmp_path_factory.mktemp("output"), one_bootstrap, redis_store.url, "output", DOMAINS)
    names = [(f"{kind}.output.{d}", kind) for d in DOMAINS for kind in ("interactions", "items")]
    create_topics({"bootstrap_servers": one_bootstrap}, [*names, ("output.dead", "interactions")], 1)
    return str(service.config)


COMMANDS = [
    ["--help"],
    ["check", "-c"],
    ["recommend", "-u", "ann", "-d", "books", "-c"],
    ["dead-letters", "list", "-c"],
    ["forget", "ann", "--wait", "0", "-c"],
]


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: words[0])
def test_a_pipe_that_closes_early_ends_a_command_quietly(words: list[str], config: str) -> None:
    """The command ends by SIGPIPE, as `cat` and `grep` do: a shell sees 141, and only with `pipefail`."""
    given = [*words, config] if words[-1] == "-c" else words
    assert run(NOBODY_READS, *given) == (-signal.SIGPIPE, [])


@pytest.mark.parametrize("words", [COMMANDS[0], COMMANDS[2]], ids=lambda words: words[0])
@pytest.mark.parametrize(
    ("how", "why"), [(FULL_DISK, "No space left on device"), (NONE, "Bad file descriptor")]
)
def test_output_that_cannot_be_written_is_one_clear_line(
    how: str, why: str, words: list[str], config: str
) -> None:
    """Output is never lost silently: neither on a full disk nor without a standard output."""
    given = [*words, config] if words[-1] == "-c" else words
    assert run(how, *given) == (USAGE, [f"crosscurrent: standard output cannot be written: {why}"])


def test_what_was_asked_for_is_written_although_nobody_reads(config: str, tmp_path: Path) -> None:
    """The receipt of `forget` is in its file before the first line is printed."""
    receipt = tmp_path / "receipt.json"
    run(NOBODY_READS, "forget", "ann", "--wait", "0", "-c", config, "--json", str(receipt))
    assert "requested_ms" in receipt.read_text()


@pytest.mark.parametrize("error", ["2>/dev/full", "2>&-"])
def test_errors_that_cannot_be_told_change_no_exit_code(error: str, config: str) -> None:
    """A log on a full disk, or no log, does not change how a command ends."""
    assert run(NOBODY_READS, "recommend", "--domain", "books", error=error) == (USAGE, [])
    assert run(NOBODY_READS, "run", "-c", f"{config}.missing", error=error) == (USAGE, [])
