"""The settings of the result cache: which stores there are, and that no message shows a secret."""

from __future__ import annotations

import pytest
from commands import invoke
from support import complaint

from streamverify.settings import load_settings


@pytest.mark.parametrize("cache", ["sqlite:cache.db", "redis://localhost:6379", "rediss://a:hidden-password@b/1"])
def test_a_cache_that_others_may_write_to_needs_a_key(cache: str) -> None:
    said = complaint(cache=cache)
    assert "STREAMVERIFY_CACHE_KEY" in said
    assert "hidden" not in said
    assert load_settings(cache=cache, cache_key="0123456789abcdef").cache == cache


@pytest.mark.parametrize(
    "cache", ["sqlite:", "redis://", "disk", "redis:user:hidden-password@host", "memory:1", "NONE"]
)
def test_a_wrong_cache_is_named_without_what_may_be_a_password(cache: str) -> None:
    said = complaint(cache=cache, cache_key="0123456789abcdef")
    assert said == "--cache: must be none, memory, sqlite:FILE or redis://HOST:PORT"


def test_a_short_key_is_refused_and_no_key_is_shown() -> None:
    said = complaint(cache_key="hidden-short")
    assert "at least 16 characters" in said
    assert "hidden" not in said
    settings = load_settings(cache="memory", cache_key="hidden-key-of-enough-length")
    assert "hidden" not in f"{settings!r}{settings.cache_key}"


def test_config_shows_neither_key_nor_password() -> None:
    given = ("--cache", "redis://user:hidden-password@host:1/2", "--cache-key", "hidden-key-of-enough-length")
    for flags in ((), ("--json",)):
        ended = invoke("config", *given, *flags)
        assert "redis://***@host:1/2" in ended.stdout
        assert "hidden" not in ended.stdout + ended.stderr
