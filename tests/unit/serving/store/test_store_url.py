"""Good URLs of the store are accepted, others are refused with advice, and no secret of a URL is shown."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest

from consumers.config.loader import build, load
from consumers.errors import USAGE, Stop
from serving.client.connection import Parts, connect, problem, redacted, sentinel_parts

DOMAINS = {"books": {"role": "target"}}


@pytest.mark.parametrize(
    "url",
    [
        "redis://localhost:6379/0",
        "redis://localhost",
        "redis://:secret@cache:6379",
        "rediss://me:p@ss:word%23@cache.example.com/",
        "redis://[::1]:6379/3?socket_keepalive=1&health_check_interval=5",
        "unix:///run/redis.sock?db=1",
        "redis+sentinel://a:26379,b,[::1]:1/mymaster",
        "rediss+sentinel://me:secret@a:26379,b:26379/mymaster/2?ssl_cert_reqs=none",
    ],
)
def test_urls_that_are_taken(url: str) -> None:
    """URLs for plain servers, TLS, sockets and Sentinel are accepted, with users, options and databases."""
    assert problem(url) is None


@pytest.mark.parametrize("character", "#?/[]")
@pytest.mark.parametrize("scheme", ["redis", "rediss"])
@pytest.mark.parametrize(
    "password", ["hunter{}2secret", "{}secret9", "12{}3456789", "se{}a=b&password=secret9"]
)
def test_a_password_that_is_not_encoded(character: str, scheme: str, password: str, tmp_path: Path) -> None:
    """A password that is not percent-encoded is refused by the config, without showing it."""
    secret = password.format(character)
    url = f"{scheme}://me:{secret}@127.0.0.1:6379/0"
    (tmp_path / "url").write_text(url)
    with pytest.raises(Stop) as stop:
        build({"domains": DOMAINS, "redis": {"url_file": str(tmp_path / "url")}})
    assert stop.value.code == USAGE
    assert "redis.url" in str(stop.value)
    assert "percent-encoded" in str(stop.value)
    assert "redis.password" in str(stop.value)
    parts = [one for one in secret.replace(character, " ").split() if len(one) > 2]
    assert parts
    assert not [one for one in parts if one in str(stop.value) or one in redacted(url)]

    encoded = f"{scheme}://me:{quote(secret, safe='')}@127.0.0.1:6379/0"
    settings = build({"domains": DOMAINS, "redis": {"url": encoded}})
    client = connect(settings.redis.url)
    assert client.connection_pool.connection_kwargs["password"] == secret
    client.close()


@pytest.mark.parametrize(
    ("redis", "said"),
    [
        ({"url": "cache:6379"}, "redis.url: not a URL"),
        ({"url": "http://cache:6379/0"}, "redis.url: not a URL"),
        ({"url": "redis://cache:6379/books"}, "redis.url: not a URL"),
        ({"url": "redis://cache:6379/0?pasword=x"}, "redis.url: redis-py has no option pasword"),
        ({"url": "redis+sentinel://a:26379,b:26379"}, "redis.url: not a URL"),
        ({"url": "redis+sentinel://a/m", "cluster": True}, "redis.cluster"),
        ({"url": "redis+sentinel://a/m", "ssl_cafile": "ca.pem"}, "redis.ssl_cafile"),
        ({"sentinel_username": "me"}, "redis.sentinel_username"),
        ({"sentinel_password": "secret"}, "redis.sentinel_password"),
    ],
)
def test_urls_and_keys_that_do_not_fit(redis: dict[str, object], said: str) -> None:
    """Wrong combinations are errors that name the key; no part of a URL without a scheme is shown."""
    with pytest.raises(Stop, match=said.replace(".", r"\.")) as stop:
        build({"domains": DOMAINS, "redis": redis})
    assert stop.value.code == USAGE
    assert str(redis.get("url")) not in str(stop.value)


def test_secrets_of_sentinel_come_from_a_file(tmp_path: Path) -> None:
    """The sentinels' password may come from a file, like every secret."""
    (tmp_path / "secret").write_text("hunter2\n")
    config = tmp_path / "config.toml"
    config.write_text(
        f'[redis]\nurl = "redis+sentinel://a/m"\nsentinel_password_file = "{tmp_path}/secret"\n[domains.books]'
    )
    store = load(config, {}).redis
    assert store.sentinel_password == "hunter2"
    provider = store.client()["sentinel_credential_provider"]
    assert provider.get_credentials() == ("hunter2",)
    (tmp_path / "secret").write_text("changed\n")
    assert provider.get_credentials() == ("changed",)


def test_what_a_sentinel_url_says() -> None:
    """A Sentinel URL has hosts with ports, the master's name, and the servers' user, database and options."""
    assert sentinel_parts(
        "rediss+sentinel://me:p%23@a:1,[::1],c/mymaster/2?ssl_check_hostname=false"
    ) == Parts(
        [("a", 1), ("::1", 26379), ("c", 26379)],
        "mymaster",
        "rediss://me:p%23@server/2?ssl_check_hostname=false",
    )
