"""Search: queries and result pages teach related searches. Interest fades in a day or two."""

from __future__ import annotations

from consumers.simulator.scenarios.scenario import Scenario
from consumers.simulator.vocabulary import Theme, Vocabulary


def _theme(name: str, before: str, after: str) -> Theme:
    return Theme(name, {"before": before, "after": after})


WORDS = Vocabulary(
    (
        _theme("low price", "cheap | used | discount", "on a budget | under 50 | second hand"),
        _theme(
            "high end", "luxury | award-winning | designer", "worth the money | of the year | limited edition"
        ),
        _theme(
            "do it yourself",
            "how to repair a | build your own | homemade",
            "step by step | with basic tools | plans pdf",
        ),
        _theme(
            "hire a professional",
            "professional | certified | custom-made",
            "service prices | installation cost | experts",
        ),
        _theme("nearby", "local | same-day | open now", "near me | in my town | with parking"),
        _theme(
            "online",
            "order | mail-order | imported",
            "with free delivery | online shop | shipped from abroad",
        ),
        _theme(
            "for beginners", "easy | my first | simple", "for beginners | for children | explained simply"
        ),
        _theme("for experts", "advanced | technical | pro-level", "specifications | benchmark | teardown"),
    ),
    {
        "queries": (
            "{before1} {object} {after2}",
            "{object} {after1} {after2}",
            "{before1} {object} {after1} {after2}",
        ),
        "pages": (
            "{object} guide: {before1}, {after2}",
            "{before1} {object} {after2} – the test",
            "Forum: {before1} {object} {after2}?",
        ),
        "related": (
            "{before1} {object} {after2}",
            "{object} {after1} or {after2}",
            "{object} {after1} {after2}",
        ),
    },
    {
        "object": "espresso machine | road bike | garden shed | guitar | laptop | bookshelf | running watch | drone "
        "| kitchen knife | camping tent | sewing machine | telescope | sofa | coffee grinder | camera"
    },
)
SEARCH = Scenario(
    "search",
    ("queries", "pages"),
    "related",
    "searched for or opened",
    7.0,
    {"queries": 1.0, "pages": 2.0, "related": 2.0},
    WORDS,
)
