"""The page of the notebook becomes cells, and cells become the page and a Jupyter notebook."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from deploy.notebook import DOCS, PAGE, Cell, cells_of, executed, notebook_of, page_of

TEXT = """# Title

Words.

```python
print("old" + " news")
```

```text
wrong
```

![output](images/notebook-1.png)

More words.

```python
import matplotlib.pyplot as plt

plt.plot([1, 2])
```

```bash
make docs
```
"""


def test_cells_run_in_one_namespace_and_their_output_takes_the_place_of_the_old(tmp_path: Path) -> None:
    """The fence of another language stays text. A figure becomes a picture below its cell."""
    cells = list(executed(cells_of(TEXT), tmp_path))
    assert [cell.code for cell in cells] == [False, True, False, True, False]
    assert cells[1].printed == "old news\n"
    (picture,) = cells[3].drawn
    assert picture.startswith(b"\x89PNG")
    page, pictures = page_of(cells)
    assert pictures == {"images/notebook-1.png": picture}
    assert "wrong" not in page
    assert "```\n\n```text\nold news\n```\n\nMore words." in page
    assert page.index("plt.plot") < page.index("![output](images/notebook-1.png)") < page.index("make docs")
    assert cells_of(page) == cells_of(TEXT)


def test_a_cell_that_fails_fails_the_run(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        list(executed([Cell("x = 1", True), Cell("x / 0", True)], tmp_path))


def test_the_notebook_has_the_cells_and_their_output() -> None:
    made = json.loads(notebook_of([Cell("# T", False), Cell("print(1)", True, "1  \n", (b"png",))]))
    text, code = made["cells"]
    assert (text["cell_type"], text["source"]) == ("markdown", "# T")
    stream, picture = code["outputs"]
    assert (code["source"], stream["text"]) == ("print(1)", "1\n")
    assert base64.b64decode(picture["data"]["image/png"]) == b"png"


def test_the_committed_notebook_is_that_of_the_page() -> None:
    """Run `python -m deploy.notebook` after a change of the page."""
    held = json.loads((DOCS / "notebook.ipynb").read_text())["cells"]
    cells = cells_of((DOCS / PAGE).read_text())
    assert [(c["cell_type"] == "code", c["source"]) for c in held] == [(c.code, c.source) for c in cells]
    assert all(c["outputs"] for c in held if c["cell_type"] == "code")
