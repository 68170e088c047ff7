"""Learning: lectures and workshops teach courses. Interest fades in months."""

from __future__ import annotations

from consumers.simulator.scenarios.scenario import Scenario
from consumers.simulator.vocabulary import Theme, Vocabulary


def _theme(name: str, fields: str, people: str) -> Theme:
    return Theme(name, {"field": fields, "people": people})


WORDS = Vocabulary(
    (
        _theme(
            "statistics",
            "Statistics | Data Analysis | Forecasting | Survey Design | Probability",
            "data analysts | statisticians | survey researchers",
        ),
        _theme(
            "visual arts",
            "Watercolour | Life Drawing | Illustration | Typography | Printmaking",
            "illustrators | painters | designers",
        ),
        _theme(
            "programming",
            "Python | Web Development | SQL | Algorithms | Machine Learning",
            "programmers | web developers | data engineers",
        ),
        _theme(
            "languages",
            "Spanish | Academic Writing | Translation | Sign Language | Japanese",
            "translators | writers | language teachers",
        ),
        _theme(
            "biology",
            "Genetics | Ecology | Neuroscience | Botany | Microbiology",
            "biologists | nurses | conservationists",
        ),
        _theme(
            "business",
            "Marketing | Accounting | Negotiation | Project Management | Pricing",
            "managers | founders | accountants",
        ),
        _theme(
            "music",
            "Music Theory | Songwriting | Jazz Piano | Sound Engineering | Choir Leading",
            "musicians | singers | producers",
        ),
        _theme(
            "crafts",
            "Carpentry | Electrics | Welding | Furniture Design | Restoration",
            "carpenters | electricians | restorers",
        ),
    ),
    {
        "lectures": (
            "{field1} for {people2}",
            "What {people1} can learn from {people2}",
            "{field1} meets {field2}",
            "A short history of {field1}, from {field2} on",
        ),
        "workshops": (
            "{field1} weekend for {people2}",
            "Hands-on {field1} with {field2}",
            "Bring your own {field1} project ({people2} welcome)",
            "Evening class: {field1}, then {field2}",
        ),
        "courses": (
            "{field1} for {people2}",
            "Introduction to {field1} with {field2}",
            "{field1} and {field2}, a certificate",
            "Advanced {field1} for {people2}",
        ),
    },
)
COURSES = Scenario(
    "courses",
    ("lectures", "workshops"),
    "courses",
    "took or rated",
    365.0,
    {"lectures": 90.0, "workshops": 90.0, "courses": 150.0},
    WORDS,
    ("lectures", "workshops", "courses"),
)
