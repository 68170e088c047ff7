"""Draw what an event costs against the size of the tables.

matplotlib is imported only when a plot is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from consumers.bench.run.slope import exponent
from consumers.errors import Stop


def write_plot(path: Path, runs: Sequence[Sequence[dict[str, Any]]]) -> None:
    """Draw a line for each run, on logarithmic axes. `path` ends in .svg or .png. Raises Stop.

    runs: points with `users`, `items` and `cpu_us` each.
    """
    try:
        import matplotlib as mpl  # noqa: PLC0415  (extra `evaluate`)
    except ImportError as error:
        raise Stop("--plot needs matplotlib: pip install 'crosscurrent[evaluate]'") from error
    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    figure, axis = plt.subplots(figsize=(7, 4.5), constrained_layout=True)
    try:
        for points in runs:
            what = max(("users", "items"), key=lambda name: len({point[name] for point in points}))
            sizes, costs = [p[what] for p in points], [p["cpu_us"] for p in points]
            axis.loglog(sizes, costs, "o-", label=f"{what}: exponent {exponent(sizes, costs):.2f}")
        axis.set_title("the learner in process: no broker, no store")
        axis.set_xlabel("users or items")
        axis.set_ylabel("CPU of an event, µs")
        axis.set_ylim(bottom=min(point["cpu_us"] for points in runs for point in points) / 3)
        axis.grid(alpha=0.25, which="both")
        axis.legend()
        figure.savefig(path, dpi=110)
    except (OSError, ValueError) as error:  # ValueError: an ending that matplotlib does not know
        raise Stop(f"--plot {path}: {getattr(error, 'strerror', None) or error}") from error
    finally:
        plt.close(figure)
