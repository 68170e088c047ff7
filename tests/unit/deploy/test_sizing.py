"""The sizing table says what the measured figures multiply to."""

from __future__ import annotations

import subprocess
import sys

from deploy.sizing import DEFAULT, EXAMPLES, MEASURED, PAGE, Load, requests, rewritten, sized
from tests.support.paths import ROOT


def test_the_page_is_current() -> None:
    """After another measurement: python -m deploy.sizing."""
    text = PAGE.read_text()
    assert rewritten(text) == text
    for figure in (MEASURED.user, MEASURED.item, MEASURED.stored_list):
        assert f"{figure:,}" in text


def test_a_million_users_by_hand() -> None:
    """1,000,000 users, 100,000 items, lists in two domains."""
    size = sized(Load(1_000_000, 100_000, 2, 3_000))
    tables = 984_000_000 + 175_500_000 + 26_243_155
    assert size.memory == 666_000_000 + 144_000_000 + 3 * tables
    assert size.redis == 1.25 * (1_000_000 * (750 + 2 * 8_362) + 100_000 * (741 + 2_300))
    assert size.disk == round(8 * 0.55 * tables)
    assert (size.cores, size.processes) == (2, 1)


def test_more_than_one_process_can_learn_is_said() -> None:
    line = [sys.executable, "-m", "deploy.sizing", "1000", "1000", "1", "10000"]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "in 3 processes or more: deploy/docs/shards.md" in done.stdout


def test_users_with_a_long_history_need_more() -> None:
    plain, heavy = (sized(DEFAULT._replace(user=size)).memory for size in (MEASURED.user, 3_000))
    assert heavy - plain == 3 * DEFAULT.users * (3_000 - MEASURED.user)


def test_wrong_words_say_how_to_ask() -> None:
    line = [sys.executable, "-m", "deploy.sizing", "many"]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "USERS ITEMS DOMAINS EVENTS_A_SECOND" in done.stderr


def test_requests_are_of_the_table() -> None:
    """In whole steps, and no less than the table says."""
    given = requests()
    assert DEFAULT in EXAMPLES
    size = int(given["memory"].removesuffix("Mi")) * 2**20
    assert 0 <= size - sized(DEFAULT).memory < 256 * 2**20
