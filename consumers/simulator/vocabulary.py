"""Make titles and texts of simulated items from words that tell what an item is about."""

from __future__ import annotations

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
