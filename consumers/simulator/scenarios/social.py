"""A social network: people and posts teach groups. Posts fade in a day, people and groups in weeks."""

from __future__ import annotations

from consumers.simulator.scenarios.scenario import Scenario
from consumers.simulator.vocabulary import Theme, Vocabulary


def _theme(name: str, people: str, doing: str, clubs: str) -> Theme:
    return Theme(name, {"who": people, "doing": doing, "club": clubs})


WORDS = Vocabulary(
    (
        _theme(
            "running",
            "trail runner | marathoner | parkrun volunteer",
            "trail running | marathon training | track days",
            "Trail Runners | Sunday Milers | Early Striders",
        ),
        _theme(
            "board games",
            "chess coach | board gamer | puzzle setter",
            "rapid chess | board game nights | escape rooms",
            "Chess Circle | Meeple Table | Puzzle League",
        ),
        _theme(
            "gardening",
            "balcony gardener | beekeeper | seed saver",
            "balcony gardening | beekeeping | composting",
            "Allotment Friends | Beekeepers | Seed Swappers",
        ),
        _theme(
            "gaming",
            "speedrunner | retro gamer | modder",
            "speedrunning | retro gaming | indie games",
            "Speedrunners | Retro Arcade | LAN Night",
        ),
        _theme(
            "photography",
            "street photographer | film shooter | drone pilot",
            "street photography | film development | night shots",
            "Street Photo Walk | Darkroom | Night Lens",
        ),
        _theme(
            "baking",
            "sourdough baker | pastry chef | cake decorator",
            "sourdough baking | laminated dough | cake decorating",
            "Sourdough Club | Pastry Circle | Cake Exchange",
        ),
        _theme(
            "climbing",
            "boulderer | alpine guide | route setter",
            "bouldering | alpine climbing | slacklining",
            "Boulder Crew | Alpine Ropes | Slackliners",
        ),
        _theme(
            "crafts",
            "knitter | quilter | potter",
            "knitting | quilting | pottery",
            "Knit & Natter | Quilting Bee | Potters' Shed",
        ),
    ),
    {
        "people": (
            "{first} {last}, {who1} and {who2}",
            "{first} {last} ({who1}, {place})",
            "{first} {last}, {place}: {doing1}, {doing2}",
        ),
        "posts": (
            "{first}: my first month of {doing1}",
            "{doing1} or {doing2}?",
            "{first} asks: {doing1} in {place}?",
            "Photos: {doing1} meets {doing2}",
        ),
        "groups": (
            "{club1} {place}",
            "{club1} {place}, also {doing2}",
            "{place} {club1} & {club2}",
            "{doing1} and {doing2} in {place}",
        ),
    },
    {
        "first": "Maya | Jonas | Aisha | Luca | Ingrid | Tomás | Wei | Zoe | Kofi | Elena | Sam | Noor",
        "last": "Lindqvist | Okafor | Rossi | Tanaka | Novak | Haddad | Byrne | Castro | Meyer | Singh",
        "place": "Lisbon | Leeds | Turin | Graz | Ghent | Oslo | Porto | Lyon | Kraków | Austin",
    },
)
SOCIAL = Scenario(
    "social",
    ("people", "posts"),
    "groups",
    "followed or liked",
    14.0,
    {"people": 30.0, "posts": 1.0, "groups": 30.0},
    WORDS,
)
