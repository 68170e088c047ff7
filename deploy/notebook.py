"""Run the example notebook of the documentation: `python -m deploy.notebook [FOLDER]`.

`deploy/docs/notebook.md` is the source. Its fenced Python blocks are the cells. They run in one namespace, in an empty
folder. The command writes the page again with their output, the pictures, and the same as `notebook.ipynb`, into FOLDER
(default: deploy/docs). The page is Markdown, because MkDocs shows it as it is and a test can run it without Jupyter:
nbclient and ipykernel alone would bring 37 packages.
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl

DOCS = Path(__file__).parent / "docs"
PAGE = "notebook.md"
_CODE = re.compile(r"^```python\n(.*?)^```\n", re.MULTILINE | re.DOTALL)
_OUTPUT = re.compile(r"\A(?:\n```text\n.*?^```\n|\n!\[output\]\(.*?\)\n)+", re.MULTILINE | re.DOTALL)


class Cell(NamedTuple):
    """A piece of the page: text, or code with what it printed and drew (PNG)."""

    source: str
    code: bool
    printed: str = ""
    drawn: tuple[bytes, ...] = ()


def cells_of(page: str) -> list[Cell]:
    """Return the cells of a page, without their output."""
    cells = []
    while (found := _CODE.search(page)) is not None:
        cells += [Cell(page[: found.start()].strip("\n"), False), Cell(found[1].rstrip("\n"), True)]
        page = _OUTPUT.sub("", page[found.end() :], count=1)
    cells.append(Cell(page.strip("\n"), False))
    return [cell for cell in cells if cell.source]


def executed(cells: Sequence[Cell], folder: Path) -> Iterator[Cell]:
    """Run the code cells in `folder`, one after the other. Raises what a cell raises."""
    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415  after the choice of what draws

    names: dict[str, Any] = {"__name__": "__main__"}
    with contextlib.chdir(folder):
        for n, cell in enumerate(cells):
            if not cell.code:
                yield cell
                continue
            printed, drawn = io.StringIO(), []
            with contextlib.redirect_stdout(printed):
                exec(compile(cell.source, f"cell {n}", "exec"), names)  # noqa: S102  the documentation's own code
            for number in plt.get_fignums():
                picture = io.BytesIO()
                plt.figure(number).savefig(picture, dpi=80, format="png")
                drawn.append(picture.getvalue())
            plt.close("all")
            yield cell._replace(printed=printed.getvalue(), drawn=tuple(drawn))


def page_of(cells: Sequence[Cell]) -> tuple[str, dict[str, bytes]]:
    """Return the page with the output of its cells, and its pictures by their place below the page."""
    parts, pictures = [], {}
    for cell in cells:
        if not cell.code:
            parts.append(f"{cell.source}\n")
            continue
        parts.append(f"```python\n{cell.source}\n```\n")
        if cell.printed.strip():
            parts.append(f"```text\n{_tidy(cell.printed)}\n```\n")
        for picture in cell.drawn:
            name = f"images/notebook-{len(pictures) + 1}.png"
            pictures[name] = picture
            parts.append(f"![output]({name})\n")
    return "\n".join(parts), pictures


def notebook_of(cells: Sequence[Cell]) -> str:
    """Return the same as a Jupyter notebook (nbformat 4.5)."""
    made = [_jupyter_cell(n, cell) for n, cell in enumerate(cells)]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    about = {"kernelspec": kernel, "language_info": {"name": "python"}}
    held = {"cells": made, "metadata": about, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(held, indent=1, ensure_ascii=False) + "\n"


def _jupyter_cell(number: int, cell: Cell) -> dict[str, Any]:
    common = {"id": f"cell-{number}", "metadata": {}, "source": cell.source}
    if not cell.code:
        return {"cell_type": "markdown", **common}
    outputs: list[dict[str, Any]] = []
    if cell.printed.strip():
        outputs.append({"output_type": "stream", "name": "stdout", "text": f"{_tidy(cell.printed)}\n"})
    for picture in cell.drawn:
        held = {"image/png": base64.b64encode(picture).decode()}
        outputs.append({"output_type": "display_data", "data": held, "metadata": {}})
    return {"cell_type": "code", "execution_count": None, "outputs": outputs, **common}


def _tidy(text: str) -> str:
    """Remove blanks at the ends of lines, and empty lines around the text."""
    return "\n".join(line.rstrip() for line in text.splitlines()).strip("\n")


def main(folder: Path) -> None:
    """Run the page, and write it with its output into `folder`."""
    with tempfile.TemporaryDirectory() as empty:
        cells = list(executed(cells_of((DOCS / PAGE).read_text()), Path(empty)))
    page, pictures = page_of(cells)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    (folder / PAGE).write_text(page)
    (folder / "notebook.ipynb").write_text(notebook_of(cells))
    for name, picture in pictures.items():
        (folder / name).write_bytes(picture)


if __name__ == "__main__":
    os.environ["PYTHONPATH"] = os.pathsep.join(
        sys.path
    )  # for the commands that the cells run in another folder
    main(Path(sys.argv[1]).absolute() if len(sys.argv) > 1 else DOCS)
