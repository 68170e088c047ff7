"""Make titles and texts of simulated items from words that tell what an item is about."""

from __future__ import annotations

from collections.abc import Iterator
from string import Formatter

import msgspec
import numpy as np

# Two opposite topics an axis, in the order of `World`'s axes: adjectives | places and things | people.
_TOPICS = [
    ("mystery", "Silent Hidden Crooked Midnight Veiled", "Harbor Alibi Ledger Cellar Witness", "Detective"),
    ("comedy", "Cheerful Clumsy Giddy Goofy Jolly", "Wedding Banquet Parade Prank Circus", "Clown"),
    (
        "space",
        "Stellar Orbital Lunar Cosmic Weightless",
        "Starship Nebula Comet Satellite Galaxy",
        "Astronaut",
    ),
    ("country", "Rustic Green Golden Muddy Quiet", "Meadow Orchard Farm Barn Harvest", "Shepherd"),
    ("war", "Brave Fallen Iron Besieged Bloody", "Trench Battalion Siege Fortress Cannon", "Soldier"),
    ("romance", "Tender Velvet Longing Faithful Blushing", "Rose Letter Kiss Promise Honeymoon", "Lover"),
    ("horror", "Haunted Rotten Cursed Shrieking Pale", "Crypt Coffin Asylum Swamp Graveyard", "Ghoul"),
    (
        "family",
        "Cuddly Little Playful Sunny Curious",
        "Puppy Treehouse Birthday Kitten Balloon",
        "Grandmother",
    ),
    ("history", "Ancient Royal Imperial Medieval Noble", "Throne Empire Castle Dynasty Scroll", "Queen"),
    (
        "technology",
        "Digital Wired Virtual Neural Robotic",
        "Server Circuit Network Algorithm Machine",
        "Hacker",
    ),
    ("sport", "Swift Unbeaten Sweaty Agile Winning", "Stadium Trophy Marathon Race League", "Champion"),
    ("music", "Melodic Acoustic Sweet Jazzy Humming", "Violin Opera Melody Chorus Piano", "Singer"),
    ("sea", "Salty Stormy Drifting Coral Sunken", "Lighthouse Island Reef Schooner Tide", "Sailor"),
    ("desert", "Dusty Burning Barren Scorched Thirsty", "Canyon Oasis Caravan Dune Mirage", "Nomad"),
    ("magic", "Enchanted Mystic Glowing Winged Secret", "Spell Dragon Wand Potion Amulet", "Wizard"),
    ("business", "Wealthy Corporate Bold Ruthless Frugal", "Market Bank Merger Startup Fortune", "Banker"),
]
_WORDS = [(name, adj.split(), noun.split(), who) for name, adj, noun, who in _TOPICS]
_TITLES = [
    "The {a1} {n2} {w1}",
    "{a1} {n1} of the {n2}",
    "The {w1} and the {a2} {n1}",
    "A {n1} for the {a1} {w2}",
    "{a2} {n1}, {a1} {w1}",
]
DRAWS = 20
"""Most titles drawn for one item until one is new."""


def topic_name(topic: int) -> str:
    """Return what readers may filter by. topic: row of `_TOPICS`."""
    return _WORDS[topic][0]


def title_and_text(topics: list[int], rng: np.random.Generator) -> tuple[str, str]:
    """Return the title and the text of an item of two `topics`: rows of `_TOPICS`, on different axes."""
    (t1, adj1, noun1, w1), (t2, adj2, noun2, w2) = (_WORDS[t] for t in topics)
    a1, n1, a2, n2 = (
        words[k] for words, k in zip((adj1, noun1, adj2, noun2), rng.integers(5, size=4), strict=True)
    )
    title = _TITLES[rng.integers(len(_TITLES))].format(a1=a1, n1=n1, w1=w1, a2=a2, n2=n2, w2=w2)
    return title, f"{title}. Themes: {t1}, {t2}."


class Theme(msgspec.Struct, frozen=True):
    """What items are about. words: by slot, phrases separated by " | "."""

    name: str
    words: dict[str, str]


class Vocabulary(msgspec.Struct, frozen=True):
    """The words of a scenario: themes, two opposite ones an axis, and how each domain makes titles of two of them.

    titles: templates by domain. `{thing1}` is a phrase of the slot `thing` of the first theme, `{thing2}` of the
    second; a name without number is a slot of `common`.
    """

    themes: tuple[Theme, ...]
    titles: dict[str, tuple[str, ...]]
    common: dict[str, str] = {}

    def titled(
        self, domain: str, topics: list[list[int]], rng: np.random.Generator
    ) -> Iterator[tuple[str, str]]:
        """Yield title and text of items of two themes each. No two titles are equal while there are enough words."""
        used: set[str] = set()
        for pair in topics:
            themes = [self.themes[t] for t in pair]
            for _ in range(DRAWS):
                title = self._title(domain, themes, rng)
                if title not in used:
                    break
            used.add(title)
            yield title, f"{title}. Themes: {themes[0].name}, {themes[1].name}."

    def _title(self, domain: str, themes: list[Theme], rng: np.random.Generator) -> str:
        templates = self.titles[domain]
        template = templates[rng.integers(len(templates))]
        chosen = {}
        for slot in sorted({name for _, name, _, _ in Formatter().parse(template) if name}):
            number = slot[-1]
            held = themes[int(number) - 1].words[slot[:-1]] if number.isdigit() else self.common[slot]
            phrases = held.split(" | ")
            chosen[slot] = phrases[rng.integers(len(phrases))]
        title = template.format(**chosen)
        return title[0].upper() + title[1:]
