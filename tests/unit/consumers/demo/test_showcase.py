"""The user whom the demo shows: chosen because transfer changes most, with reasons that speak for the items."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from consumers.demo.live_view import in_terminal
from consumers.demo.showcase import CHOOSE_SECONDS, LOOK_SECONDS, Showcase, Shown
from consumers.terminal.reasons import OTHERS, PAST
from models.arms.arm_comparison import ArmComparison
from models.schema import Domain, Interaction, Item
from models.settings import LearningSettings
from models.threads import use_one_thread
from serving.contract import ListedItem, to_listed_items
from tests.support.clock import Clock
from tests.support.learners.described_items import put_described

WORDS = ("dark", "merry")
START = 1_700_000_000_000


def rate(arms: ArmComparison, user: str, domain: str, number: int, second: int) -> None:
    item = f"{domain[0]}{number % 40}"
    arms.learn([Interaction(domain, "rating", user, item, START + 1000 * second, 4.0)])


@pytest.fixture(scope="module")
def arms() -> ArmComparison:
    """Even users like dark items and odd ones merry ones, in films and games. `new` knows films only, `own` games."""
    use_one_thread()
    domains = [Domain("films"), Domain("games", "target")]
    made = ArmComparison(domains, LearningSettings(users=64, items_per_domain=64))
    items = [
        Item(d, f"{d[0]}{n}", f"{WORDS[n % 2]} tale {n} of {WORDS[n % 2]} days")
        for d in made.full.index
        for n in range(40)
    ]
    put_described(made, items)
    for n in range(600):
        user = n % 12
        rate(made, f"u{user}", "films" if (n // 12) % 3 else "games", 2 * (n // 12) + user % 2, n)
        if made.full.waiting >= 128:
            made.end_batch()
    for n in range(4):
        rate(made, "new", "films", 2 * n, 600 + n)
        rate(made, "own", "games", 2 * n + 1, 604 + n)
    return made


@pytest.fixture
def shown(arms: ArmComparison) -> tuple[Showcase, Clock, list[str]]:
    """A showcase, its clock, and the users whose list in the store it has read."""
    clock, asked = Clock(), list[str]()

    def read(user: str) -> list[ListedItem]:
        asked.append(user)
        return to_listed_items(arms.recommend([user], "games", 10)[0], 10)

    return Showcase(arms, Shown("games", "rated", read), clock), clock, asked


def test_what_is_shown_is_what_the_store_has_and_the_reasons_hold(
    arms: ArmComparison, shown: tuple[Showcase, Clock, list[str]]
) -> None:
    """Titles of the published list; what they had in the source; the list of the target alone."""
    showcase, _, _ = shown
    showcase.look()
    example = showcase.example
    assert example is not None
    published = arms.recommend([example.user], "games", 3)[0]
    assert [one.title for one in example.suggested] == [line.title for line in published]
    alone = arms.full.recommend([example.user], "games", 3, target_only=True)[0]
    assert example.without == [line.title for line in alone]
    assert example.source == "films"
    assert example.had
    assert example.before == arms.full.events_of(example.user)["games"]
    beginnings = [*PAST.values(), *OTHERS.values()]
    for one, line in zip(example.suggested, published, strict=True):
        assert any(one.because.startswith(words) for words in beginnings)
        said = {
            words for name, value in line.why.items() if value > 0 for words in [{**PAST, **OTHERS}[name]]
        }
        assert any(one.because.startswith(words) for words in said)


def test_a_user_without_a_source_is_not_chosen(
    arms: ArmComparison, shown: tuple[Showcase, Clock, list[str]]
) -> None:
    """Transfer has nothing to give to `own`; it changes nothing for them as much as for others."""
    showcase, _, asked = shown
    showcase.look()
    assert asked != ["own"]
    assert arms.full.events_of(asked[0])["films"] >= 3


def test_the_lists_are_made_again_in_time(shown: tuple[Showcase, Clock, list[str]]) -> None:
    """Not at every turn of the loop."""
    showcase, clock, asked = shown
    for _ in range(3):
        showcase.look()
    assert len(asked) == 1
    clock.now += LOOK_SECONDS
    showcase.look()
    clock.now += CHOOSE_SECONDS
    showcase.look()
    assert len(asked) == 3
    showcase.look(now=True)
    assert len(asked) == 4


def test_a_user_without_a_list_gives_way_to_the_next(arms: ArmComparison) -> None:
    """What is shown is in the store."""
    asked: list[str] = []

    def read(user: str) -> list[ListedItem]:
        asked.append(user)
        return to_listed_items(arms.recommend([user], "games", 3)[0], 3) if len(asked) > 1 else []

    showcase = Showcase(arms, Shown("games", "rated", read), Clock())
    showcase.look()
    assert len(set(asked)) == 2
    assert showcase.example is not None
    assert showcase.example.user == asked[1]


def test_nothing_is_shown_before_anybody_is_known() -> None:
    """Nor without a list in the store."""
    empty = ArmComparison(
        [Domain("films"), Domain("games", "target")], LearningSettings(users=8, items_per_domain=8)
    )
    showcase = Showcase(empty, Shown("games", "rated", lambda _: []), Clock())
    showcase.look()
    assert showcase.example is None


@pytest.mark.parametrize("width", [40, 80, 200])
def test_no_word_is_cut_on_a_terminal(width: int, shown: tuple[Showcase, Clock, list[str]]) -> None:
    """Lines fold between words, whatever the width."""
    showcase, _, _ = shown
    showcase.look()
    assert showcase.example is not None
    out = io.StringIO()
    Console(file=out, width=width).print(in_terminal(showcase.example))
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    said = " ".join(" ".join(lines).split())
    for title in [*(one.title for one in showcase.example.suggested), *showcase.example.without]:
        assert title in said
