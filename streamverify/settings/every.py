"""The model of all settings: the fields of every subject, and what holds for each of them."""

from __future__ import annotations

from typing import Any

from pydantic import PrivateAttr, ValidationInfo, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from streamverify.core.messages.jsontext import is_encodable
from streamverify.setting_sources import PREFIX, Origins, settings_file
from streamverify.settings.cache import CacheSettings
from streamverify.settings.gateway import GatewaySettings
from streamverify.settings.http import HttpSettings
from streamverify.settings.kafka import KafkaSettings
from streamverify.settings.log import LogSettings
from streamverify.settings.repl import ReplSettings
from streamverify.settings.requests import RequestSettings
from streamverify.settings.tiers import TierSettings
from streamverify.settings.topics import TopicSettings


# Pydantic takes the fields of the last base first: read from the bottom, this is the order of docs/settings.md.
class Settings(
    LogSettings,
    GatewaySettings,
    HttpSettings,
    CacheSettings,
    TierSettings,
    RequestSettings,
    ReplSettings,
    TopicSettings,
    KafkaSettings,
    BaseSettings,
):
    """The effective settings. Get them from `load_settings`, whose errors are sentences for people."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", env_ignore_empty=True)

    _origins: Origins = PrivateAttr(default_factory=Origins)

    @field_validator("*", mode="before")
    @classmethod
    def _says_something(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse a text that is empty, or that UTF-8 cannot encode."""
        if isinstance(value, str):
            # Of an empty flag or key a path would make the working folder. An empty variable never comes here.
            if not value.strip() and cls.model_fields[str(info.field_name)].default != "":
                raise ValueError("must not be empty")
            if "\0" in value or not is_encodable(value):
                raise ValueError("must be UTF-8 without zero bytes")
        return value

    @property
    def origins(self) -> Origins:
        """The origin of each setting, for messages about one that turns out to be wrong when it is used."""
        return self._origins

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the library's signature
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the library's signature
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return the sources, the one that wins first: flags, environment, file."""
        # No .env file: in a container nobody expects that one is read.
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, settings_file())
