"""Draw along the target's events. matplotlib is imported only here, and only for a plot."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from consumers.errors import Stop

ENDINGS = (".png", ".svg")
NEEDED = "--plot needs matplotlib: pip install 'crosscurrent[evaluate]'"


def check_plot(path: Path | None) -> None:
    """Raise Stop for a picture that could not be written at the end of a long run."""
    if path is None:
        return
    if path.suffix.lower() not in ENDINGS:
        raise Stop(f"--plot {path}: its name must end in {' or '.join(ENDINGS)}")
    if not path.parent.is_dir():
        raise Stop(f"--plot {path}: there is no folder {path.parent}")
    if find_spec("matplotlib") is None:
        raise Stop(NEEDED)


@contextmanager
def drawn(path: Path, rows: int, columns: int, title: str) -> Iterator[list[list[Any]]]:
    """Yield the axes of each column, from top to bottom, to draw on; then write the picture to `path`. Raises Stop."""
    try:
        import matplotlib as mpl  # noqa: PLC0415  (extra `evaluate`)
    except ImportError as error:
        raise Stop(NEEDED) from error
    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    figure, grid = plt.subplots(
        rows, columns, figsize=(11 if columns == 1 else 14, 1 + 4 * rows), sharex="col",
        constrained_layout=True, squeeze=False,
    )  # fmt: skip
    try:
        yield [list(grid[:, column]) for column in range(columns)]
        figure.suptitle(title, fontsize=14, fontweight="bold")
        for axis in grid[-1]:
            axis.set_xlabel("events of the target, in time order")
        for axis in grid.flat:
            if axis.lines and axis.get_legend() is None:
                axis.legend(fontsize=9)
            axis.xaxis.get_major_locator().set_params(integer=True)
            axis.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
            axis.grid(alpha=0.25)
        figure.savefig(path, dpi=110)
    except (OSError, ValueError) as error:  # ValueError: an ending that matplotlib does not know
        raise Stop(f"--plot {path}: {getattr(error, 'strerror', None) or error}") from error
    finally:
        plt.close(figure)
