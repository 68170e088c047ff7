"""Publish offsets under a group id, from a thread: lag tools read them, so no event waits for a commit."""

from __future__ import annotations

import threading
from typing import Any

import structlog
from kafka import KafkaAdminClient, OffsetAndMetadata
from kafka import TopicPartition as KafkaPartition
from kafka.errors import GroupAuthorizationFailedError, KafkaError, NoError

from consumers.config.schema import KafkaConfig
from consumers.events.record import Offsets
from consumers.kafka_client.client import client_options
from consumers.kafka_client.problems import acls
from serving.worker import Worker

AGAIN_SECONDS = 2.0
CLOSE_SECONDS = 2.0
log = structlog.get_logger()


class Commits:
    """Commits the newest offsets that were handed over. `close` waits a moment for the last ones."""

    def __init__(self, config: KafkaConfig) -> None:
        self._config = config
        self._changed = threading.Condition()
        self._next: Offsets = {}
        self._closing = False
        self._told = ""
        """The trouble that was logged last. Each trouble is logged once."""
        self._thread = Worker("commits", self._run, again=5.0)
        self._thread.start()

    def hand_over(self, offsets: Offsets) -> None:
        with self._changed:
            self._next = dict(offsets)
            self._changed.notify_all()

    def close(self) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(CLOSE_SECONDS)

    def _taken(self) -> Offsets:
        """Return the next offsets; none at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._next or self._closing)
            taken, self._next = self._next, {}
            return taken

    def _run(self) -> None:
        admin: Any = None
        failed = False
        while offsets := self._taken():
            try:
                admin = admin or KafkaAdminClient(**client_options(self._config))
                self._tell(self._commit(admin, offsets))
            except (KafkaError, OSError, ValueError) as error:
                # One failure is not logged: the group may just be moving to another broker.
                if failed or not getattr(error, "retriable", True):
                    self._tell(self._words(error))
                failed = True
                if admin is not None:
                    admin.close()
                admin = None
                self._later(offsets)
            else:
                failed = False
        if admin is not None:
            admin.close()

    def _later(self, offsets: Offsets) -> None:
        """Wait for newer offsets; if none come, return those that failed, to try them again."""
        with self._changed:
            self._changed.wait_for(lambda: self._next or self._closing, AGAIN_SECONDS)
            if not self._closing:
                self._next = self._next or offsets

    def _commit(self, admin: Any, offsets: Offsets) -> str:
        """Commit, and return why the broker refuses it; "" if it does not. Raises KafkaError."""
        given = {
            KafkaPartition(*place): OffsetAndMetadata(offset, "", -1) for place, offset in offsets.items()
        }
        answers = admin.alter_group_offsets(self._config.group_id, given)
        refused = {tp.topic: error for tp, error in answers.items() if error is not NoError}
        for error in refused.values():
            if error.retriable:  # another broker may be responsible for the group by now
                raise error()
        return "; ".join(f"{topic}: {self._words(error())}" for topic, error in sorted(refused.items()))

    def _words(self, error: Exception) -> str:
        if isinstance(error, GroupAuthorizationFailedError):
            give = acls.give(self._config, [acls.group(self._config)])
            return f"no right to kafka.group_id {self._config.group_id}. {give}"
        return type(error).__name__

    def _tell(self, trouble: str) -> None:
        if trouble and trouble != self._told:
            log.warning(
                "offsets not committed to Kafka, lag tools miss them; the checkpoint holds them",
                reason=trouble,
            )
        elif self._told and not trouble:
            log.info("offsets are committed to Kafka again")
        self._told = trouble
