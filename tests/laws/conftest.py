"""Open a log on the broker, and close it after the test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.log.logs import KafkaLog


@pytest.fixture
def kafka_log(bootstrap: str, topic_prefix: str) -> Iterator[KafkaLog]:
    from tests.support.log.logs import KafkaLog  # kafka-python warns before the filters are set

    log = KafkaLog(bootstrap, topic_prefix)
    yield log
    log.close()
