"""Entries in a Redis, for the workers of many machines. The Redis's own `maxmemory` limits how many there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from streamverify.cache.store import StoreFailed, without_password
from streamverify.core.cache.seal import MAX_ENTRY
from streamverify.core.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamverify.cache.store import Entry

PREFIX = b"streamverify:cache:"
"""The beginning of the names of our entries: a Redis may be shared."""

_CONNECT_SECONDS = 1.0
_ANSWER_SECONDS = 5.0
# A value begins with its weight, one byte: what weighs more stays. Another type of value, which is not ours, goes.
_PUT = """
if redis.call('TYPE', KEYS[1]).ok == 'string' then
  local kept = redis.call('GETRANGE', KEYS[1], 0, 0)
  if #kept == 1 and string.byte(kept) > string.byte(ARGV[1]) then return end
end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
"""


class RedisStore:
    """A Redis that many workers read and write."""

    def __init__(self, url: str, *, max_age: float) -> None:
        """Prepare the connections; the first question opens one.

        Args:
            url: `redis://[[user]:password@]host[:port][/number]`, `rediss://…` or `unix://…`.
            max_age: Seconds after which Redis deletes an entry.

        Raises:
            SettingsError: It is no URL of a Redis.
        """
        self.label = without_password(url)
        self._max_age = max(1, int(max_age))
        try:
            # No tries of its own: a proof does not wait for a store that does not answer.
            self._redis = Redis.from_url(
                url,
                socket_timeout=_ANSWER_SECONDS,
                socket_connect_timeout=_CONNECT_SECONDS,
                retry=Retry(NoBackoff(), 0),
                client_name="streamverify-cache",
            )
        except (ValueError, TypeError) as error:
            raise SettingsError(f"STREAMVERIFY_CACHE (--cache): {self.label} is no URL of a Redis: {error}") from None

    async def check(self) -> None:
        """See that it answers and takes an entry."""
        name = PREFIX + b"check"
        try:
            await self._redis.set(name, b"1", ex=60)
            await self._redis.get(name)
        except (RedisError, OSError) as error:
            raise self._failed(error) from error

    async def get_many(self, names: Sequence[bytes]) -> dict[bytes, bytes]:
        """Return the values of those names that are there, in one exchange."""
        try:
            async with self._redis.pipeline(transaction=False) as pipe:
                for name in names:
                    # No more than an entry may have: anybody may have put a gigabyte there.
                    pipe.getrange(PREFIX + name, 0, MAX_ENTRY)
                values = await pipe.execute(raise_on_error=False)
        except (RedisError, OSError) as error:
            raise self._failed(error) from error
        # A value of another type is an error of its own, and no entry; what is not there is an empty one.
        return {
            name: value[1:] for name, value in zip(names, values, strict=True) if isinstance(value, bytes) and value
        }

    async def put_many(self, entries: Sequence[Entry]) -> None:
        """Keep these entries, in one exchange."""
        try:
            async with self._redis.pipeline(transaction=False) as pipe:
                for each in entries:
                    value = bytes([each.weight]) + each.value
                    pipe.eval(_PUT, 1, PREFIX + each.name, value, self._max_age)
                # Not raised there: its words would be the whole command, entry and all.
                answers = await pipe.execute(raise_on_error=False)
        except (RedisError, OSError) as error:
            raise self._failed(error) from error
        for refusal in answers:
            if isinstance(refusal, RedisError):
                raise self._failed(refusal)

    async def close(self) -> None:
        """Close its connections."""
        try:
            await self._redis.aclose()
        except (RedisError, OSError):
            return

    def _failed(self, error: Exception) -> StoreFailed:
        said = " ".join(str(error).split())[:200]
        return StoreFailed(f"{self.label}: {said or type(error).__name__}")
