"""A command is loaded only when it is wanted."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest

from consumers.cli.main import LOADED_WHEN_WANTED, cli


@pytest.mark.parametrize("name", LOADED_WHEN_WANTED)
def test_every_command_is_found(name: str) -> None:
    """A module that is named wrongly would only fail when somebody uses the command."""
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert command.name == name


def test_help_names_all_commands_and_an_unknown_one_is_none() -> None:
    context = click.Context(cli)
    assert set(cli.list_commands(context)) == {
        *LOADED_WHEN_WANTED,
        "run",
        "network",
        "check",
        "recommend",
        "explain",
    }
    assert cli.get_command(context, "nothing") is None


def test_a_command_does_not_wait_for_the_libraries_of_others() -> None:
    """torch and numba take seconds to load, and no short command needs them."""
    program = (
        "import sys; from consumers.cli.main import _run, cli; sys.argv[1:] = ['forget', '--help']; _run(cli); "
        "sys.exit(' '.join({'torch', 'numba', 'sklearn'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
