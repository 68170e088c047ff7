"""The command asks about rows on a terminal only."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.paths import USER_FILES

ASK = "from consumers.datasets.understanding import confirm; print(confirm('sure?', {yes}))"


@pytest.fixture
def terminal() -> Iterator[int]:
    """Simulate a terminal whose user answers no."""
    keyboard, terminal = os.openpty()
    os.write(keyboard, b"n\n")
    yield terminal
    os.close(keyboard)
    os.close(terminal)


def test_no_on_a_terminal_sends_nothing(terminal: int, tmp_path: Path) -> None:
    """After the answer no, the command says so and ends with exit code 1."""
    config = tmp_path / "crosscurrent.toml"
    config.write_text("[domains.shop]\nrating_range = [0, 5]\n")
    file = str(USER_FILES / "f19" / "r.zip")
    words = ["-m", "consumers.cli", "replay", file, "-d", "shop", "-c", str(config)]
    done = subprocess.run(
        [sys.executable, *words], stdin=terminal, capture_output=True, text=True, timeout=90, check=False
    )
    assert done.returncode == 1, done.stderr
    assert "[y/N]" in done.stderr
    assert "nothing was sent" in done.stderr


@pytest.mark.parametrize("yes", [True, False])
def test_nobody_is_asked_with_yes_or_without_a_terminal(terminal: int, yes: bool) -> None:
    """With --yes or without a terminal the answer is yes."""
    words = ["-c", ASK.format(yes=yes)]
    stdin = terminal if yes else subprocess.DEVNULL
    done = subprocess.run([sys.executable, *words], stdin=stdin, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("True\n", "")
