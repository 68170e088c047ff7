"""The report page in a real browser: nothing in its console, light or dark as the system is."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest
from PIL import Image

from consumers.report.page import page
from tests.support.service.report_pages import SETTINGS, Made

SCHEMES = {"dark": 0, "light": 1}
"""Numbers of the colour schemes in Blink."""


def shoot(html: Path, scheme: str, browser: str, width: int = 1400) -> tuple[Image.Image, str]:
    """Return the page as Chromium shows it, and what it logged."""
    picture = html.with_name(f"{scheme}-{width}.png")
    done = subprocess.run(
        [
            browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
            "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update",
            "--host-resolver-rules=MAP * ~NOTFOUND", "--enable-logging=stderr",
            f"--user-data-dir={html.parent / 'profile'}", f"--blink-settings=preferredColorScheme={SCHEMES[scheme]}",
            f"--window-size={width},1800", f"--screenshot={picture}", html.as_uri(),
        ],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    with Image.open(picture) as image:
        return image.convert("L"), done.stderr


@pytest.fixture
def browser(missing: Callable[[object], NoReturn]) -> str:
    if (found := shutil.which("chromium")) is None:
        missing("chromium is not on PATH: apt-get install chromium")
    return found


def test_light_and_dark_without_a_word_in_the_console(tmp_path: Path, browser: str) -> None:
    """The background follows the system; text and lines stand out from it; the console stays empty."""
    made = Made()
    made.pass_by(400)
    html = tmp_path / "index.html"
    html.write_text(page("Crosscurrent", "an example", SETTINGS, made.recorder))
    for scheme in SCHEMES:
        image, said = shoot(html, scheme, browser)
        assert "CONSOLE" not in said
        back = image.getpixel((5, 5))
        assert isinstance(back, int)
        assert back > 230 if scheme == "light" else back < 40
        low, high = image.getextrema()
        assert isinstance(low, int)
        assert isinstance(high, int)
        assert high - low > 180


def test_a_console_message_would_be_seen(tmp_path: Path, browser: str) -> None:
    """The test above can fail."""
    html = tmp_path / "index.html"
    html.write_text("<script>console.error('oops')</script>")
    assert "CONSOLE" in shoot(html, "light", browser)[1]
