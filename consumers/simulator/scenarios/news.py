"""News: articles and videos teach podcasts. Interest fades in hours."""

from __future__ import annotations

from consumers.simulator.scenarios.scenario import Scenario
from consumers.simulator.vocabulary import Theme, Vocabulary


def _theme(name: str, things: str, people: str) -> Theme:
    return Theme(name, {"thing": things, "who": people})


WORDS = Vocabulary(
    (
        _theme(
            "politics",
            "the coalition talks | the runoff vote | the new budget | the border treaty | the minister's resignation",
            "the opposition leader | a former minister | the speaker | the mayor",
        ),
        _theme(
            "football",
            "the cup final | the record transfer | the penalty row | the relegation fight | the derby",
            "the head coach | the goalkeeper | the club captain | the referee",
        ),
        _theme(
            "climate",
            "the heatwave | the autumn floods | the melting glacier | the drought | the wildfire season",
            "a glaciologist | the flood warden | a forest ranger | the chief meteorologist",
        ),
        _theme(
            "markets",
            "the rate decision | the chip shortage | the housing slump | the bank merger | the price of oil",
            "the central banker | a hedge fund manager | the chief economist | a bond trader",
        ),
        _theme(
            "cinema",
            "the festival winner | the box office surprise | the director's cut | the silent-film revival | the sequel",
            "the lead actress | the festival jury | a stunt double | the screenwriter",
        ),
        _theme(
            "science",
            "the Mars sample | the fusion record | the new particle | the gene therapy | the asteroid flyby",
            "an astrophysicist | the mission engineer | a geneticist | the lab director",
        ),
        _theme(
            "crime",
            "the museum heist | the cold case | the fraud trial | the missing yacht | the forged will",
            "the lead detective | a defence lawyer | the key witness | the prosecutor",
        ),
        _theme(
            "health",
            "the hospital strike | the flu wave | the sleep study | the new vaccine | the sugar tax",
            "a family doctor | the ward nurse | a nutritionist | the chief surgeon",
        ),
    ),
    {
        "articles": (
            "What {thing1} means for {thing2}",
            "{who1} on {thing2}: the interview",
            "After {thing1}, all eyes on {thing2}",
            "How {thing1} became about {thing2}",
            "{who1} and {who2} disagree about {thing1}",
        ),
        "videos": (
            "Watch: {who1} explains {thing2}",
            "Live: {thing1} and {thing2}",
            "In 90 seconds: {thing1}, {thing2}",
            "{who1} meets {who2}",
            "From the scene: {thing1}, {thing2}",
        ),
        "podcasts": (
            "The Morning Brief: {thing1}, then {thing2}",
            "Long Listen: {who1} on {thing2}",
            "Behind {thing1}, with {who2}",
            "Two Sides: {who1} and {who2}",
        ),
    },
)
NEWS = Scenario(
    "news",
    ("articles", "videos"),
    "podcasts",
    "opened",
    2.0,
    {"articles": 0.25, "videos": 0.25, "podcasts": 0.5},
    WORDS,
)
