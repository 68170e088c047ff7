"""The example notebook of the documentation runs from beginning to end, and comes to its verdict."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from deploy.notebook import DOCS, PAGE, cells_of


def test_the_notebook_goes_from_a_csv_to_a_verdict(tmp_path: Path) -> None:
    """Every cell runs, in an empty folder. The verdict is in words, and there are two plots."""
    done = subprocess.run(
        [sys.executable, "-m", "deploy.notebook", str(tmp_path)],
        capture_output=True, text=True, timeout=170, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    page = (tmp_path / PAGE).read_text()
    assert cells_of(page) == cells_of((DOCS / PAGE).read_text())
    assert "  domain     ← category" in page
    assert "\ngames: transfer lowers RMSE by " in page
    assert "\nRMSE: helps [" in page
    assert sorted(path.name for path in (tmp_path / "images").iterdir()) == [
        "notebook-1.png",
        "notebook-2.png",
    ]
    cells = json.loads((tmp_path / "notebook.ipynb").read_text())["cells"]
    assert sum(bool(cell.get("outputs")) for cell in cells) == 6
