"""The settings of the result cache: its store, its size, and the key that signs its entries."""

from __future__ import annotations

from typing import Annotated, Self, cast

from pydantic import BaseModel, ByteSize, Field, SecretStr, field_validator, model_validator

from streamverify.core.cache.seal import MIN_SECRET
from streamverify.settings.values import wrong_setting

REDIS = ("redis://", "rediss://", "unix://")
"""The beginnings of the URL of a Redis."""


class CacheSettings(BaseModel):
    """The result cache."""

    cache: Annotated[
        str,
        Field(
            description="Where verdicts are kept, so that identical proofs are answered without Lean (docs/cache.md): "
            "none; memory (of each worker); sqlite:FILE, for the workers of one machine; redis://HOST:PORT, for many."
        ),
    ] = "none"
    cache_key: Annotated[
        SecretStr | None,
        Field(
            description="Secret that signs what is kept in a file or a Redis, the same for all workers that share it, "
            "of at least 16 characters (openssl rand -hex 32)."
        ),
    ] = None
    cache_memory: Annotated[
        ByteSize, Field(ge=1024**2, description="Bytes of verdicts that a worker keeps in its memory, such as 64MiB.")
    ] = cast("ByteSize", "64MiB")
    cache_size: Annotated[
        ByteSize,
        Field(ge=1024**2, description="Bytes that the file of CACHE=sqlite:FILE may have. A Redis has its own limit."),
    ] = cast("ByteSize", "1GiB")
    cache_max_age: Annotated[
        int, Field(ge=1, le=3650 * 86400, description="Seconds after which a verdict is not given any more.")
    ] = 30 * 86400

    @field_validator("cache")
    @classmethod
    def _names_a_cache(cls, value: str) -> str:
        # Worded here, because the value may have a password, which no message may show.
        if value in {"none", "memory"} or (value.startswith(("sqlite:", *REDIS)) and value not in ("sqlite:", *REDIS)):
            return value
        raise ValueError("must be none, memory, sqlite:FILE or redis://HOST:PORT")

    @field_validator("cache_key")
    @classmethod
    def _is_a_secret(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < MIN_SECRET:
            raise ValueError(f"must have at least {MIN_SECRET} characters (openssl rand -hex 32 makes one)")
        return value

    @model_validator(mode="after")
    def _shared_cache_is_signed(self) -> Self:
        if self.cache not in {"none", "memory"} and self.cache_key is None:
            # Refused and not warned of: whoever can write to the store could write verdicts.
            raise wrong_setting(
                "cache",
                "a cache that others may write to needs STREAMVERIFY_CACHE_KEY, which signs its entries: the same "
                "secret for all workers that share it (openssl rand -hex 32 makes one)",
            )
        return self
