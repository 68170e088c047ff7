"""Name folders of the checkout."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
USER_FILES = ROOT / "tests" / "data" / "user_files"
