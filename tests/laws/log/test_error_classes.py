"""Every error class of kafka-python and redis-py has one behaviour; a new class fails until it is placed."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pytest
import redis
from kafka import KafkaConsumer
from kafka.errors import KafkaError
from redis.exceptions import RedisClusterException

from consumers.config.loader import build
from consumers.connections import connect_store
from consumers.errors import USAGE, Stop
from consumers.kafka_client.errors import LETTER, on_letter, on_poll
from serving.contract import Write
from serving.store.errors import STORE_ERRORS, behaviour
from serving.store.publisher import Listeners, Publisher
from serving.store.redis_store import open_store
from serving.store.store import Answers, FieldOf, Server, Store

PATIENCE = 20.0
LOADED = KafkaConsumer
"""Modules of the library that define more classes."""

POLL = {
    "retry": """
        Cancelled ConcurrentTransactionsError CoordinatorLoadInProgressError
        CoordinatorNotAvailableError CorrelationIdError ElectionNotNeededError
        EligibleLeadersNotAvailableError FencedLeaderEpochError FetchSessionIdNotFoundError
        FetchSessionTopicIdError InconsistentTopicIdError InvalidFetchSessionEpochError
        InvalidMetadataError InvalidShareSessionEpochError KafkaConnectionError KafkaStorageError
        KafkaTimeoutError LeaderNotAvailableError ListenerNotFoundError MetadataEmptyBrokerList
        NetworkExceptionError NodeNotReadyError NotControllerError NotCoordinatorError
        NotEnoughReplicasAfterAppendError NotEnoughReplicasError NotLeaderForPartitionError
        OffsetNotAvailableError PreferredLeaderNotAvailableError ReplicaNotAvailableError
        RequestTimedOutError RetriableError SaslAuthenticationFailedError ShareSessionNotFoundError StaleMetadata
        ThrottlingQuotaExceededError TooManyInFlightRequests UnjoinedGroupException
        UnknownLeaderEpochError UnknownTopicIdError UnknownTopicOrPartitionError
        UnstableOffsetCommitError
    """,
    "gap": "OffsetOutOfRangeError LogTruncationError",
    "no_right": "TopicAuthorizationFailedError",
    "no_codec": "UnsupportedCodecError",
    "stop": """
        AuthorizationError BrokerIdNotRegisteredError BrokerNotAvailableError BrokerResponseError
        ClusterAuthorizationFailedError CommitFailedError CorruptRecordError
        DelegationTokenAuthDisabledError DelegationTokenAuthorizationFailedError
        DelegationTokenExpiredError DelegationTokenNotFoundError DelegationTokenOwnerMismatchError
        DelegationTokenRequestNotAllowedError DuplicateBrokerRegistrationError DuplicateResourceError
        DuplicateSequenceNumberError DuplicateVoterError FeatureUpdateFailedError FencedInstanceIdError
        FencedMemberEpochError FencedStateEpochError GroupAuthorizationFailedError GroupIdNotFoundError
        GroupMaxSizeReachedError GroupSubscribedToTopicError IllegalArgumentError IllegalGenerationError
        IllegalSaslStateError IllegalStateError IncompatibleBrokerVersion InconsistentClusterIdError
        InconsistentGroupProtocolError InconsistentVoterSetError IneligibleReplicaError
        InvalidCommitOffsetSizeError InvalidConfigurationError InvalidFetchRequestError
        InvalidGroupIdError InvalidPartitionsError InvalidPrincipalTypeError InvalidProducerEpochError
        InvalidProducerIdMappingError InvalidReceiveError InvalidRecordError InvalidRecordStateError
        InvalidRegistrationError InvalidReplicationAssignmentError InvalidReplicationFactorError
        InvalidRequestError InvalidRequiredAcksError InvalidSessionTimeoutError InvalidTimestampError
        InvalidTopicError InvalidTransactionTimeoutError InvalidTxnStateError InvalidUpdateVersionError
        InvalidVoterKeyError KafkaConfigurationError KafkaProtocolError LogDirNotFoundError
        MemberIdRequiredError MessageSizeTooLargeError MismatchedEndpointTypeError
        NewLeaderElectedError NoError NoOffsetForPartitionError NoReassignmentInProgressError
        NonEmptyGroupError OffsetMetadataTooLargeError OffsetMovedToTieredStorageError
        OperationNotAttemptedError OutOfOrderSequenceNumberError PolicyViolationError
        PositionOutOfRangeError PrincipalDeserializationFailureError ProducerFencedError
        QuotaViolationError ReassignmentInProgressError RebalanceInProgressError RecordListTooLargeError
        RecordTooLargeError ResourceNotFoundError SecurityDisabledError
        SnapshotNotFoundError StaleBrokerEpochError StaleControllerEpochError StaleMemberEpochError
        TelemetryTooLargeError TopicAlreadyExistsError TopicDeletionDisabledError
        TransactionAbortableError TransactionAbortedError TransactionCoordinatorFencedError
        TransactionalIdAuthorizationFailedError TransactionalIdNotFoundError UnacceptableCredentialError
        UnknownBrokerIdError UnknownControllerIdError UnknownError UnknownMemberIdError
        UnknownProducerIdError UnknownSubscriptionIdError UnrecognizedBrokerVersion
        UnreleasedInstanceIdError UnsupportedAssignorError UnsupportedCompressionTypeError
        UnsupportedEndpointTypeError UnsupportedForMessageFormatError UnsupportedSaslMechanismError
        UnsupportedVersionError VoterNotFoundError
    """,
}
"""The source's behaviour by the names of the classes."""

STORE = {
    "reconnect": """
        AuthenticationError AuthorizationError BusyLoadingError ClusterDownError ClusterError
        ConnectionError CrossSlotTransactionError ExternalAuthProviderError InvalidPipelineStack
        InvalidResponse LockError LockNotOwnedError MasterDownError MasterNotFoundError
        MaxConnectionsError PubSubError RedisClusterException SlaveNotFoundError SlotNotCoveredError
        TimeoutError WatchError
    """,
    "refused": """
        AskError AuthenticationWrongNumberOfArgsError ClusterCrossSlotError ExecAbortError ModuleError
        MovedError NoPermissionError NoScriptError NoSuchFieldsetError OutOfMemoryError ReadOnlyError
        ResponseError TryAgainError
    """,
    "leave_out": "DataError",
}
"""The publisher's behaviour by the names of the classes."""


def classes(root: type[Exception], library: str) -> dict[str, type[Exception]]:
    """Return `root` and every class below it that the library defines for clients without asyncio."""
    found, waiting = {}, [root]
    while waiting:
        one = waiting.pop()
        waiting += one.__subclasses__()
        if one.__module__.startswith(library) and ".asyncio" not in one.__module__:
            found[one.__name__] = one
    return found


def placed(table: dict[str, str]) -> list[str]:
    return sorted(itertools.chain(*(names.split() for names in table.values())))


KAFKA = classes(KafkaError, "kafka.")
REDIS = classes(redis.RedisError, "redis.") | classes(RedisClusterException, "redis.")
del KAFKA["KafkaError"], REDIS["RedisError"]


def bare(kind: type[Exception]) -> Any:
    """Return an instance, for any constructor."""
    return kind.__new__(kind)


def test_every_class_of_kafka_is_placed_once() -> None:
    assert placed(POLL) == sorted(KAFKA)


@pytest.mark.parametrize("name", sorted(KAFKA))
def test_reading_and_dead_letters(name: str) -> None:
    """The code does what the table says. A dead letter is kept unless its own record is the cause."""
    error = bare(KAFKA[name])
    assert name in POLL[on_poll(error)].split()
    assert on_letter(error) == {kind.__name__: what for kind, what in LETTER.items()}.get(name, "send_again")


def test_every_class_of_redis_is_placed_once() -> None:
    assert placed(STORE) == sorted(REDIS)


class Failing:
    """A real store whose first answer to a write of `x` is an error: raised, or returned for that write alone."""

    def __init__(self, store: Store, error: Exception, raised: bool) -> None:
        self._store, self._error, self._raised = store, error, raised
        self.failed = 0

    def write(self, writes: Sequence[Write], read_first: Iterable[FieldOf] = ()) -> Answers:
        at = [number for number, write in enumerate(writes) if write.key == "x"]
        if not at or self.failed:
            return self._store.write(writes, read_first)
        self.failed += 1
        if self._raised:
            raise self._error
        others = [write for write in writes if write.key != "x"]
        answers = self._store.write(others, read_first)
        answers.errors.insert(at[0], self._error)
        return answers

    def ping(self) -> None:
        raise self._error

    def delete(self, keys: Iterable[str]) -> int:
        return self._store.delete(keys)

    def scan(self, pattern: str) -> Iterator[str]:
        return self._store.scan(pattern)

    def servers(self) -> list[Server]:
        return self._store.servers()

    def parts(self) -> list[str]:
        return self._store.parts()

    def part_of(self, key: str) -> str:
        return self._store.part_of(key)

    def close(self) -> None:
        self._store.close()


@pytest.mark.parametrize("redis_url", ["valkey"], indirect=True)
@pytest.mark.parametrize("name", sorted(REDIS))
def test_publishing_and_starting(name: str, redis_url: str) -> None:
    """The newest value arrives in the end, unless it can never be sent. Other writes do not wait for it.

    At a start each class ends with exit code 2 and a line of its own.
    """
    error = bare(REDIS[name])
    assert name in STORE[behaviour(error)].split()
    assert isinstance(error, STORE_ERRORS)
    told: list[Exception] = []
    failing = Failing(open_store(redis_url), error, raised=behaviour(error) == "reconnect")
    publisher = Publisher(failing, "cc:meta", 17, Listeners(failed=told.append))
    publisher.submit([Write("a", "set", b"1"), Write("x", "set", b"2"), Write("b", "set", b"3")])
    publisher.start()
    assert publisher.flush(PATIENCE)
    assert (failing.failed, told, publisher.problem()) == (1, [error], None)
    assert publisher.close()
    with redis.Redis.from_url(redis_url) as client:
        left_out = behaviour(error) == "leave_out"
        assert [client.get(key) for key in "axb"] == [b"1", None if left_out else b"2", b"3"]
    with pytest.raises(Stop, match="cannot be reached") as stop:
        connect_store(
            build({}, need_domains=False), lambda *_, **__: Failing(open_store(redis_url), error, True)
        )
    assert stop.value.code == USAGE
