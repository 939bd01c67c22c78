"""The settings of every command: environment, an optional TOML file, command-line flags over both.

Each field is the environment variable `STREAMVERIFY_<NAME>`, the flag `--<name>` and a key of `streamverify.toml`.
What a later version will read is listed in `NOT_YET` and refused, so that nobody believes in a setting that does
nothing.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from contextvars import ContextVar
from pathlib import Path
from typing import Annotated, Any, Literal

import structlog
from pydantic import ByteSize, Field, SecretStr, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from streamverify.core.audit.vocabulary import Trusted
from streamverify.core.errors import SettingsError
from streamverify.core.scheduling.import_sizes import MAX_HEADERS
from streamverify.core.scheduling.prewarm import parse_prewarm

PREFIX = "STREAMVERIFY_"
DEFAULT_FILE = Path("streamverify.toml")

NOT_YET = frozenset(
    {
        "log_dir",
    }
)
"""Names that are taken and do nothing yet."""

_OTHERS = frozenset({"config", "lean_home"})
"""Variables with our prefix that are no settings: the file's path; where `setup_lean.sh` installs."""

_named_file: ContextVar[Path | None] = ContextVar("settings file named on the command line", default=None)

_log = structlog.get_logger(__name__)

LEAST_MEMORY = 64 * 1024**2
"""Bytes below which no REPL starts."""

Topic = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,249}$")]
_SERVER = r"(\[[0-9A-Fa-f:.]+\]|[^\s,:/\[\]]+):[0-9]{1,5}"
_SERVERS = rf"^\s*{_SERVER}(\s*,\s*{_SERVER})*\s*$"
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Settings(BaseSettings):
    """The effective settings. Made by `load_settings`, which words the errors."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", env_ignore_empty=True)

    bootstrap_servers: Annotated[
        str, Field(pattern=_SERVERS, description="Kafka brokers, host:port, separated by commas.")
    ] = "localhost:9092"
    security_protocol: Annotated[
        Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"],
        Field(description="How to talk to the brokers."),
    ] = "PLAINTEXT"
    sasl_mechanism: Annotated[
        Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"], Field(description="How to log in to the brokers.")
    ] = "PLAIN"
    sasl_username: Annotated[str | None, Field(description="The user to log in as.")] = None
    sasl_password: Annotated[SecretStr | None, Field(description="Its password.")] = None
    ssl_cafile: Annotated[Path | None, Field(description="Certificates to trust (PEM); default: the system's.")] = None
    ssl_certfile: Annotated[
        Path | None, Field(description="Our own certificate (PEM), for brokers that ask for one.")
    ] = None
    ssl_keyfile: Annotated[
        Path | None, Field(description="The key of our certificate (PEM); default: it is in ssl_certfile.")
    ] = None
    ssl_keyfile_password: Annotated[SecretStr | None, Field(description="The password of that key.")] = None
    group_id: Annotated[str, Field(min_length=1, description="The workers' consumer group.")] = "streamverify"
    group_instance_id: Annotated[
        str | None,
        Field(
            pattern=r"^[A-Za-z0-9._-]{1,249}$",
            description="Static membership: a name that this worker keeps over restarts, unique in the group.",
        ),
    ] = None
    client_rack: Annotated[
        str | None,
        Field(
            min_length=1,
            description="Rack of this worker; records are fetched from a replica with the same broker.rack, if "
            "there is one.",
        ),
    ] = None
    request_topic: Annotated[Topic, Field(description="Topic of the proofs.")] = "lean.proofs"
    result_topic: Annotated[Topic, Field(description="Topic of the verdicts, keyed by custom_id.")] = "lean.results"
    dlq_topic: Annotated[Topic, Field(description="Topic of what cannot be answered.")] = "lean.proofs.dlq"
    ingest_topic: Annotated[
        Topic, Field(description="Topic of proofs from producers that do not choose the partition; for the router.")
    ] = "lean.proofs.ingest"
    repl: Annotated[
        str,
        Field(
            min_length=1,
            description="What verifies: auto (made by setup_lean.sh), replay[:FILE], synthetic, or a command line.",
        ),
    ] = "auto"
    lean_project: Annotated[
        Path | None,
        Field(description="The Lean project whose `lake env` a REPL given as a command line gets."),
    ] = None
    slots: Annotated[
        Literal["auto"] | Annotated[int, Field(ge=1, le=4096)],
        Field(description="Proofs at once; auto: the cores that this container may use, as far as memory goes."),
    ] = "auto"
    memory_per_repl: Annotated[
        Literal["auto"] | Annotated[ByteSize, Field(ge=LEAST_MEMORY)],
        Field(
            description="Private memory that one REPL may use, beyond the libraries that it maps, such as 4GiB; auto: "
            "its share of what there is here, where 4GiB are planned for one with Mathlib, 1GiB without."
        ),
    ] = "auto"
    prewarm: Annotated[
        str,
        Field(
            description="Headers to import before joining the group, such as `Mathlib; Mathlib Aesop`, the hottest "
            "first; none; auto: the root of each library of the Lean project."
        ),
    ] = "auto"
    headers_per_repl: Annotated[
        Literal["auto"] | Annotated[int, Field(ge=1, le=MAX_HEADERS)],
        Field(
            description="Headers that one REPL process may hold, as far as half of MEMORY_PER_REPL goes; auto: as many "
            "as that allows, by what imports add."
        ),
    ] = "auto"
    patience: Annotated[
        Seconds, Field(description="Seconds after which a header is served although others keep all REPLs busy.")
    ] = 30.0
    quantum: Annotated[
        float,
        Field(
            ge=0,
            allow_inf_nan=False,
            description="A REPL changes its header only after working this many times as long as the imports take.",
        ),
    ] = 10.0
    default_timeout: Annotated[Seconds, Field(description="Seconds Lean may run where a request names none.")] = 60.0
    max_timeout: Annotated[
        Seconds, Field(description="The longest time-out in seconds that a request may ask for.")
    ] = 600.0
    import_timeout: Annotated[Seconds, Field(description="Seconds that importing a header may take.")] = 300.0
    sandbox: Annotated[
        Literal["auto", "bwrap", "none"],
        Field(description="What confines Lean: bwrap (bubblewrap), none, or auto: bwrap where it works."),
    ] = "auto"
    sandbox_read: Annotated[
        str,
        Field(description="More folders that Lean may read in the sandbox, separated by colons."),
    ] = ""
    policy_allow: Annotated[
        str,
        Field(
            description="Words of the site's own libraries that an audit takes as harmless, such as "
            "`command:problem_file attribute:coe option:google.answer` (docs/policy.md)."
        ),
    ] = ""
    max_proof_bytes: Annotated[
        int, Field(ge=1, description="The largest proof (with its statement), in bytes of UTF-8.")
    ] = 512 * 1024
    session_timeout_ms: Annotated[
        int,
        Field(ge=6_000, le=1_800_000, description="Milliseconds after which the group gives up a silent worker."),
    ] = 45_000
    max_deliveries: Annotated[
        int,
        Field(
            ge=1,
            le=6,
            description="How many times a proof may crash a worker while running alone before it becomes a dead "
            "letter.",
        ),
    ] = 3
    drain_timeout: Annotated[Seconds, Field(description="Seconds that running proofs get to finish after SIGTERM.")] = (
        60.0
    )
    require: Annotated[
        Literal["checked", "audited"],
        Field(description="The assurance that makes a proof verified where its request names none."),
    ] = "audited"
    require_min: Annotated[
        Literal["checked", "audited"],
        Field(description="The least assurance: what a request may not go below."),
    ] = "checked"
    min_lean_version: Annotated[
        str,
        Field(
            pattern=r"^(any|v?[0-9]+\.[0-9]+\.[0-9]+(-rc[0-9]+)?)$",
            description="The oldest Lean that may verify: a worker with an older one, or one that does not say its "
            "version, does not start. Lean before 4.34.1 has known bugs of its kernel. `any`: every Lean may.",
        ),
    ] = "4.34.1"
    http_port: Annotated[
        int, Field(ge=0, le=65_535, description="Port of /live and /ready; 0: a free one, logged.")
    ] = 9464
    log_level: Annotated[Literal["debug", "info", "warning", "error"], Field(description="What is logged.")] = "info"
    log_format: Annotated[Literal["text", "json"], Field(description="How it is logged.")] = "text"

    @field_validator("prewarm")
    @classmethod
    def _names_modules(cls, value: str) -> str:
        if value != "auto":
            parse_prewarm(value)
        return value

    @field_validator("policy_allow")
    @classmethod
    def _names_words(cls, value: str) -> str:
        Trusted.parse(value)
        return value

    @field_validator("lean_project", "ssl_cafile", "ssl_certfile", "ssl_keyfile")
    @classmethod
    def _path_exists(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if value is not None and not (value.is_dir() if info.field_name == "lean_project" else value.is_file()):
            raise ValueError(f"there is no such {'folder' if info.field_name == 'lean_project' else 'file'}: {value}")
        return value

    @field_validator("max_timeout")
    @classmethod
    def _max_above_default(cls, value: float, info: ValidationInfo) -> float:
        default = info.data.get("default_timeout", 0.0)
        if value < default:
            raise ValueError(f"must not be below default_timeout ({default:g})")
        return value

    @field_validator("result_topic", "dlq_topic", "ingest_topic")
    @classmethod
    def _topics_differ(cls, value: str, info: ValidationInfo) -> str:
        others = [info.data.get(name) for name in ("request_topic", "result_topic", "dlq_topic")]
        if value in others:
            raise ValueError("request_topic, result_topic, dlq_topic and ingest_topic must be four different topics")
        return value

    @model_validator(mode="after")
    def _login_is_complete(self) -> Settings:
        if self.security_protocol.startswith("SASL") and not (self.sasl_username and self.sasl_password):
            raise ValueError(f"security_protocol {self.security_protocol} needs sasl_username and sasl_password")
        if self.ssl_keyfile and not self.ssl_certfile:
            raise ValueError("ssl_keyfile needs ssl_certfile: the certificate that the key belongs to")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the library's signature
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the library's signature
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags over environment over file; no .env files: they surprise in containers."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, _settings_file())


def load_settings(config_file: Path | None = None, **flags: Any) -> Settings:
    """The effective settings; `flags` that are None count as not given.

    Args:
        config_file: A TOML file; default: `$STREAMVERIFY_CONFIG`, else `streamverify.toml` where there is one.
        flags: Values from the command line, by field name.

    Raises:
        SettingsError: A setting is wrong; one line for each, naming it.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    token = _named_file.set(config_file)
    try:
        _check_names(given)
        return Settings(**given)
    except ValidationError as error:
        lines = dict.fromkeys(_explain(item) for item in error.errors())
        raise SettingsError("\n".join(lines)) from None
    finally:
        _named_file.reset(token)


def _settings_file() -> Path | None:
    named = _named_file.get() or os.environ.get(f"{PREFIX}CONFIG")
    if named:
        return Path(named)
    return DEFAULT_FILE if DEFAULT_FILE.exists() else None


def _check_names(given: dict[str, Any]) -> None:
    in_file = _names_in_file()
    in_environment = {
        name.removeprefix(PREFIX).lower() for name, value in os.environ.items() if name.startswith(PREFIX) and value
    }
    for name in sorted((in_environment | in_file | given.keys()) & NOT_YET):
        raise SettingsError(f"{_name(name)} is not available in this version yet; remove it")
    for name in sorted(in_file - Settings.model_fields.keys()):
        raise SettingsError(f"{_settings_file()}: there is no setting `{name}`{_nearest(name)}")
    for name in sorted(in_environment - Settings.model_fields.keys() - _OTHERS):
        if not name.startswith("test_"):
            _log.warning("unknown_setting", name=f"{PREFIX}{name.upper()}", hint=_nearest(name).strip("; ") or None)


def settings_files() -> list[Path]:
    """The files that settings may have been read from here, which proofs must not read."""
    named = _settings_file()
    return [DEFAULT_FILE, *([] if named is None else [named])]


def _names_in_file() -> set[str]:
    file = _settings_file()
    if file is None:
        return set()
    try:
        return set(tomllib.loads(file.read_text("utf-8")))
    except OSError as error:
        raise SettingsError(f"the settings file {file} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"the settings file {file} is not TOML: {error}") from None


def _nearest(name: str) -> str:
    near = difflib.get_close_matches(name, Settings.model_fields, n=1)
    return f"; did you mean `{near[0]}`?" if near else ""


def _name(field: str) -> str:
    return f"{PREFIX}{field.upper()} (--{field.replace('_', '-')})"


def _explain(error: Any) -> str:
    """One line for one of pydantic's errors, without its jargon."""
    message = str(error["msg"]).removeprefix("Value error, ")
    if not error["loc"]:
        return message
    field = str(error["loc"][0])
    if field == "slots":
        message = "must be auto or a whole number from 1 to 4096"
    if field == "memory_per_repl":
        message = "must be auto or a size of at least 64MiB, such as 4GiB"
    if error["type"] == "value_error":
        return f"{_name(field)}: {message}"
    if field == "bootstrap_servers":
        message = "must be host:port, or several separated by commas"
    if error["type"] == "string_too_short":
        return f"{_name(field)}: must not be empty"
    message = message.removeprefix("Input ").removeprefix("String ")
    value = error["input"]
    shown = "" if isinstance(value, dict) or "password" in field else f", not {str(value)[:80]!r}"
    return f"{_name(field)}: {message}{shown}"
