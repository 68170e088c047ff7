"""Draw errors along the target's events. matplotlib is imported only here, and only for a plot."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from consumers.errors import Stop


@contextmanager
def drawn(path: Path, panels: int) -> Iterator[list[Any]]:
    """Yield axes one above the other to draw on; then write the picture to `path`. Raises Stop."""
    try:
        import matplotlib as mpl  # noqa: PLC0415  (extra `dev`)
    except ImportError as error:
        raise Stop("--plot needs matplotlib: pip install 'crosscurrent[dev]'") from error
    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    figure, grid = plt.subplots(
        panels, 1, figsize=(11, 1 + 4 * panels), sharex=True, constrained_layout=True, squeeze=False
    )
    axes = list(grid[:, 0])
    try:
        yield axes
        axes[-1].set_xlabel("target events")
        for axis in axes:
            if axis.lines:
                axis.legend(fontsize=8, ncol=2)
            axis.grid(alpha=0.25)
        figure.savefig(path, dpi=110)
    except OSError as error:
        raise Stop(f"--plot {path}: {error.strerror}") from error
    finally:
        plt.close(figure)
