"""Run the command line: `python -m consumers.cli`."""

from consumers.cli.main import main

main()
