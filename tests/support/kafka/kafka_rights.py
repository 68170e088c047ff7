"""Make users of Apache Kafka, and give them rights."""

from __future__ import annotations

from kafka import KafkaAdminClient
from kafka.admin import (
    ACL,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ResourcePattern,
    ResourcePatternFilter,
    ResourceType,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from kafka.admin import ACLResourcePatternType as PatternType

from tests.support.service.running import wait_for

Right = tuple[str, str, str]
"""(operation, kind of resource, name), as in ("Read", "Topic", "items.books")."""


def parsed(acl: str) -> Right:
    """Return the right that a message of the service names: `Read on Topic:items.books`."""
    operation, _, resource = acl.partition(" on ")
    kind, _, name = resource.partition(":")
    return operation, kind, name


class Rights:
    """Gives rights to one principal and takes them away; `admin` may do everything."""

    def __init__(self, bootstrap: str, principal: str) -> None:
        self.principal = principal
        self._admin = KafkaAdminClient(bootstrap_servers=bootstrap)

    def give(self, *rights: Right) -> None:
        self._admin.create_acls([self._acl(right) for right in rights])
        wait_for(lambda: set(rights) <= self.given(), 20, why=f"the broker knows {rights}")

    def take(self, *rights: Right) -> None:
        filters = [
            ACLFilter(self.principal, "*", _operation(right), ACLPermissionType.ALLOW, _pattern(right))
            for right in rights
        ]
        self._admin.delete_acls(filters)
        wait_for(lambda: not set(rights) & self.given(), 20, why=f"the broker has forgotten {rights}")

    def given(self) -> set[Right]:
        anything = ResourcePatternFilter(ResourceType.ANY, None, PatternType.ANY)
        asked = ACLFilter(self.principal, None, ACLOperation.ANY, ACLPermissionType.ANY, anything)
        acls, _ = self._admin.describe_acls(asked)
        return {
            (
                a.operation.name.capitalize(),
                a.resource_pattern.resource_type.name.capitalize(),
                a.resource_pattern.resource_name,
            )
            for a in acls
        }

    def _acl(self, right: Right) -> ACL:
        return ACL(self.principal, "*", _operation(right), ACLPermissionType.ALLOW, _pattern(right))

    def close(self) -> None:
        """Take every right away."""
        if given := self.given():
            self.take(*given)
        self._admin.close()


def _operation(right: Right) -> ACLOperation:
    return ACLOperation[right[0].upper()]


def _pattern(right: Right) -> ResourcePattern:
    return ResourcePattern(ResourceType[right[1].upper()], right[2])


def set_password(bootstrap: str, user: str, password: str) -> None:
    """Make a user of SCRAM, or change the password."""
    with KafkaAdminClient(bootstrap_servers=bootstrap) as admin:
        for kind in (ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512):
            change = UserScramCredentialUpsertion(user, kind, password)
            assert admin.alter_user_scram_credentials([change]) == {user: None}
