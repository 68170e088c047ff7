"""`simulate`: a world's items and events as contract records, to Kafka or to files, and its truth beside them."""

from __future__ import annotations

import csv
import gzip
import time
from collections.abc import Callable, Iterable, Iterator
from math import isnan
from pathlib import Path
from typing import Any, Literal, TextIO

import msgspec
import numpy as np
from kafka import KafkaProducer

from consumers.datasets.record import Sent
from consumers.replay.delivery import SendCounts, TopicOf, default_topic, send
from consumers.simulator.world import Ints, World
from consumers.simulator.world_settings import DomainSpec, Drift, WorldSettings

DAY_MS = 86_400_000

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


def user_id(person: int) -> str:
    return f"u{person:06d}"


def item_id(domain: str, row: int) -> str:
    return f"{domain}-{row:05d}"


def three_domains(events: int = 20_000, seed: int = 0, overlap: float = 0.8) -> WorldSettings:
    """The demo's world: two data-rich sources, a young target (games), drift in the target halfway."""
    return WorldSettings(
        domains=(
            DomainSpec("movies", users=180, items=400, mean=3.6, share=0.45),
            DomainSpec("books", users=160, items=400, mean=3.9, share=0.40),
            DomainSpec("games", users=140, items=200, mean=3.0, share=0.15),
        ),
        events=events,
        seed=seed,
        overlap=overlap,
        drift=(Drift("games", at=0.5, bias=1.0),),
    )


class Simulator:
    """What happens in a `World`, as contract records: `items()`, then `events()`; `records()` is both.

    Deterministic by the settings (with `start_ms=None` all but the timestamps), constant memory in the number
    of events, and repeatable: each call starts from the beginning.
    """

    def __init__(self, settings: WorldSettings) -> None:
        self.settings = settings
        self.world = World(settings)

    def records(self) -> Iterator[Sent]:
        yield from self.items()
        yield from self.events()

    def items(self) -> Iterator[Sent]:
        for number, domain in enumerate(self.world.domains):
            rng = np.random.default_rng([self.settings.seed, 2, number])
            for row, topics in enumerate(domain.topics.tolist()):
                title, text = _text(topics, rng)
                key = item_id(domain.spec.name, row)
                value = msgspec.json.encode({"item_id": key, "title": title, "text": text})
                yield Sent("items", domain.spec.name, key.encode(), value)

    def removal(self, domain: str, row: int) -> Sent:
        """The tombstone of an item."""
        return Sent("items", domain, item_id(domain, row).encode(), None)

    def events(self) -> Iterator[Sent]:
        """All interactions, in order of their timestamps."""
        domains = self.world.domains
        names = [d.spec.name for d in domains]
        users = [[user_id(p) for p in d.people.tolist()] for d in domains]
        start, spacing = self.settings.start_ms, DAY_MS / self.settings.events_per_day
        index, prefix = 0, f"e{self.settings.seed}-"  # another seed's events are others
        for draw in self.world.draws():
            for d, u, i, rating in zip(*(column.tolist() for column in draw), strict=True):
                domain, user = names[d], users[d][u]
                at = int(time.time() * 1000) if start is None else start + int(index * spacing)
                # Written by hand because that is several times faster; the ids above need no escaping.
                what = '"click"' if isnan(rating) else f'"rating","value":{rating:.6g}'
                head = f'{{"type":{what},"user_id":"{user}","item_id":"{item_id(domain, i)}","timestamp":{at}'
                text = f'{head},"event_id":"{prefix}{index:09d}"}}' if self.settings.event_ids else head + "}"
                yield Sent("interactions", domain, user.encode(), text.encode(), at)
                index += 1

    def expected(self, domain: str, user: str, item: str, index: int) -> float:
        """`honest`, clipped to the range."""
        low, high = self.world.domains[self.world.number[domain]].spec.rating_range
        return float(np.clip(self.honest(domain, user, item, index), low, high))

    def honest(self, domain: str, user: str, item: str, index: int) -> float:
        """The mean rating at event `index` before noise, clipping, grid and poison.

        Raises KeyError for a user or item that this domain does not have.
        """
        return float(self.world.honest(domain, *self._rows(domain, user, item), index)[0])

    def given(self, domain: str, user: str, item: str, index: int) -> float:
        """The mean of the ratings that an honest user would give at event `index`: see `World.given`; as `honest`."""
        return float(self.world.given(domain, *self._rows(domain, user, item), index)[0])

    def _rows(self, domain: str, user: str, item: str) -> tuple[Ints, Ints]:
        at = self.world.domains[self.world.number[domain]]
        who = np.flatnonzero(at.people == int(user.removeprefix("u")))
        row = int(item.rpartition("-")[2])
        if not len(who) or row >= at.spec.items:
            raise KeyError(f"{user} or {item} is not in {domain}")
        return who, np.array([row])

    def truth(self) -> dict[str, Any]:
        """Everything that is true of this world, JSON-able; `settings` alone rebuild it (`load_simulator`)."""
        real, last = self.world, self.settings.events
        domains: dict[str, Any] = {}
        for d in real.domains:
            name = d.spec.name
            domains[name] = {
                "bias_before": d.spec.mean,
                "bias_after": float(real.domain_mean(name, last)),
                "drift": [
                    {
                        "kind": x.kind,
                        "at": real.index_of(x.at),
                        "span": real.index_of(x.span),
                        "bias": x.bias,
                    }
                    for x in real.drifts(name)
                ],
                "users": [user_id(p) for p in d.people.tolist()],
                "items": {
                    item_id(name, row): {"bias": bias, "factors": factors}
                    for row, (bias, factors) in enumerate(
                        zip(d.bias.tolist(), d.factors.tolist(), strict=True)
                    )
                },
            }
        return {
            "settings": msgspec.json.decode(msgspec.json.encode(self.settings)),
            "noise_sd": self.settings.noise_sd,
            "domains": domains,
            "users": {
                user_id(p): {"bias": bias, "taste": taste}
                for p, (bias, taste) in enumerate(
                    zip(real.user_bias.tolist(), real.taste.tolist(), strict=True)
                )
            },
        }


def load_simulator(path: Path) -> Simulator:
    """The simulator whose truth the file `path` holds."""
    truth = msgspec.json.decode(path.read_bytes())
    return Simulator(msgspec.convert(truth["settings"], WorldSettings))


def to_kafka(
    records: Iterable[Sent],
    producer: KafkaProducer,
    topic_of: TopicOf = default_topic,
    rate: float | None = None,
    on_sent: Callable[[SendCounts], object] = lambda _: None,
) -> SendCounts:
    """Sends `records` at `rate` interactions/s (None: full speed) and returns when all are acknowledged.

    Topics must exist (`replay.create_topics`). Raises DeliveryError when the broker refuses a record.
    """
    return send(records, producer, topic_of, rate, on_sent)


def to_files(simulator: Simulator, directory: Path, layout: Literal["csv", "jsonl"] = "csv") -> None:
    """Writes the world's interactions and items, and `truth.json`.

    csv: `interactions.csv.gz` and `items.csv.gz`, as `tables` reads them. jsonl: contract events, one file a kind
    and domain (`interactions.movies.jsonl`), because they do not name their domain.
    """
    directory.mkdir(parents=True, exist_ok=True)
    if layout == "csv":
        _write_csv(simulator, directory)
    else:
        _write_jsonl(simulator.records(), directory)
    (directory / "truth.json").write_bytes(msgspec.json.encode(simulator.truth()))


def _write_csv(simulator: Simulator, directory: Path) -> None:
    """With a column `type` where a domain has clicks beside ratings: a rating that is missing would be an error."""
    mixed = any(domain.kind == "both" for domain in simulator.settings.domains)

    def create(name: str) -> TextIO:
        return gzip.open(directory / name, "wt", compresslevel=6, encoding="utf-8", newline="")

    with create("interactions.csv.gz") as events_file, create("items.csv.gz") as items_file:
        events, items = (
            csv.writer(events_file, lineterminator="\n"),
            csv.writer(items_file, lineterminator="\n"),
        )
        events.writerow(["user_id", "item_id", "domain", "rating", "timestamp", *(["type"] if mixed else [])])
        items.writerow(["item_id", "domain", "title", "text"])
        for record in simulator.records():
            if record.value is None:
                continue  # a table has no way to take an item back
            row = msgspec.json.decode(record.value)
            if record.kind == "items":
                items.writerow([row["item_id"], record.domain, row["title"], row["text"]])
            else:
                rating, seconds = row.get("value", ""), row["timestamp"] // 1000
                kind = [row["type"]] if mixed else []
                events.writerow([row["user_id"], row["item_id"], record.domain, rating, seconds, *kind])


def _write_jsonl(records: Iterable[Sent], directory: Path) -> None:
    files: dict[str, Any] = {}
    try:
        for record in records:
            name = f"{record.kind}.{record.domain}.jsonl"
            if name not in files:
                files[name] = (directory / name).open("wb")
            if record.value is not None:
                files[name].write(record.value + b"\n")
    finally:
        for file in files.values():
            file.close()


def _text(topics: list[int], rng: np.random.Generator) -> tuple[str, str]:
    (t1, adj1, noun1, w1), (t2, adj2, noun2, w2) = (_WORDS[t] for t in topics)
    a1, n1, a2, n2 = (
        words[k] for words, k in zip((adj1, noun1, adj2, noun2), rng.integers(5, size=4), strict=True)
    )
    title = _TITLES[rng.integers(len(_TITLES))].format(a1=a1, n1=n1, w1=w1, a2=a2, n2=n2, w2=w2)
    return title, f"{title}. Themes: {t1}, {t2}."
