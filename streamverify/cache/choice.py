"""Chooses the store that the setting CACHE names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamverify.core.errors import SettingsError
from streamverify.settings.cache import REDIS

if TYPE_CHECKING:
    from streamverify.cache.store import Store
    from streamverify.settings import Settings

_SQLITE = "sqlite:"


def store_of(settings: Settings) -> Store | None:
    """Make the store that the setting CACHE names, without opening it; None if the cache is in memory alone.

    Raises:
        SettingsError: The library for it is not installed, or its URL is no URL of a Redis.
    """
    setting = settings.cache
    if setting.startswith(_SQLITE):
        from streamverify.cache.sqlite import SqliteStore  # noqa: PLC0415 - whoever has no such cache pays nothing

        return SqliteStore(
            setting.removeprefix(_SQLITE), limit=int(settings.cache_size), max_age=settings.cache_max_age
        )
    if setting.startswith(REDIS):
        try:
            from streamverify.cache.redis import RedisStore  # noqa: PLC0415 - an extra
        except ImportError:
            raise SettingsError(
                "STREAMVERIFY_CACHE (--cache): a Redis needs the extra `cache`: pip install 'streamverify[cache]'"
            ) from None
        return RedisStore(setting, max_age=settings.cache_max_age)
    return None
