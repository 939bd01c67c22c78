"""The settings of every command: command-line flags, then the environment, then an optional TOML file.

Each field is the environment variable `STREAMVERIFY_<NAME>`, the flag `--<name>` and a key of `streamverify.toml`.
A name that is no setting is an error in the file and a warning in the environment, which other programs share.
"""

from __future__ import annotations

import difflib
from pathlib import Path  # noqa: TC003 - pydantic reads the annotations
from typing import Annotated, Any, Literal, cast

import structlog
from pydantic import (
    ByteSize,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from streamverify.core.audit.vocabulary import Trusted
from streamverify.core.cache.seal import MIN_SECRET
from streamverify.core.environments import parse_environments
from streamverify.core.errors import SettingsError
from streamverify.core.keys import ApiKeys
from streamverify.core.messages.assurance import Require  # noqa: TC001 - pydantic reads the annotations
from streamverify.core.messages.jsontext import is_encodable
from streamverify.core.scheduling.import_sizes import MAX_HEADERS
from streamverify.core.scheduling.prewarm import parse_prewarm
from streamverify.core.topics import MAX_PROOF_BYTES
from streamverify.logs import leave_to_the_program
from streamverify.setting_sources import PREFIX, Origins, explain, find_origins, settings_file

__all__ = ["MIN_MEMORY", "PREFIX", "Settings", "load_settings"]


_OTHERS = frozenset({"config", "lean_home"})
"""Variables with our prefix that are no settings: the path of the settings file, and where `setup_lean.sh` installs."""

_log = structlog.get_logger(__name__)

MIN_MEMORY = 64 * 1024**2
"""Bytes below which no REPL starts."""

Topic = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,249}$")]
_PORT = r"([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
_SERVER = rf"(\[[0-9A-Fa-f:.]+\]|[^\s,:/\[\]]+):{_PORT}"
_SERVERS = rf"^\s*{_SERVER}(\s*,\s*{_SERVER})*\s*$"
REDIS = ("redis://", "rediss://", "unix://")
"""What the URL of a Redis begins with."""
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Settings(BaseSettings):
    """The effective settings. Get them from `load_settings`, whose errors are sentences for people."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", env_ignore_empty=True)

    _origins: Origins = PrivateAttr(default_factory=Origins)

    bootstrap_servers: Annotated[
        str, Field(pattern=_SERVERS, description="Addresses of Kafka brokers, host:port, separated by commas.")
    ] = "localhost:9092"
    security_protocol: Annotated[
        Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"],
        Field(description="Protocol for talking to the brokers."),
    ] = "PLAINTEXT"
    sasl_mechanism: Annotated[
        Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"],
        Field(description="Method of logging in to the brokers, for the SASL protocols."),
    ] = "PLAIN"
    sasl_username: Annotated[str | None, Field(description="User to log in to the brokers as.")] = None
    sasl_password: Annotated[SecretStr | None, Field(description="Password of that user.")] = None
    ssl_cafile: Annotated[
        Path | None,
        Field(description="PEM file with the certificate authorities to trust. Default: those of the system."),
    ] = None
    ssl_certfile: Annotated[
        Path | None, Field(description="PEM file with the certificate that we show to brokers that ask for one.")
    ] = None
    ssl_keyfile: Annotated[
        Path | None,
        Field(description="PEM file with the private key of that certificate. Default: the key is in ssl_certfile."),
    ] = None
    ssl_keyfile_password: Annotated[SecretStr | None, Field(description="Password of that private key.")] = None
    group_id: Annotated[str, Field(min_length=1, max_length=249, description="Consumer group of the workers.")] = (
        "streamverify"
    )
    group_instance_id: Annotated[
        str | None,
        Field(
            pattern=r"^[A-Za-z0-9._-]{1,249}$",
            description="Name of this worker for static membership: unique in the group, and the same after a restart.",
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
    request_topic: Annotated[Topic, Field(description="Topic that the proofs are read from.")] = "lean.proofs"
    result_topic: Annotated[Topic, Field(description="Topic that the verdicts are written to, keyed by custom_id.")] = (
        "lean.results"
    )
    dlq_topic: Annotated[Topic, Field(description="Topic for the records that cannot be answered (dead letters).")] = (
        "lean.proofs.dlq"
    )
    ingest_topic: Annotated[
        Topic, Field(description="Topic that the router reads: proofs from producers that do not choose the partition.")
    ] = "lean.proofs.ingest"
    groups_topic: Annotated[
        Topic,
        Field(
            description="Topic on which workers tell each other which attempts of a group have succeeded, and are "
            "told what is cancelled."
        ),
    ] = "lean.groups"
    group_ttl: Annotated[
        float,
        Field(
            ge=0,
            le=7 * 24 * 3600,
            allow_inf_nan=False,
            description="Seconds for which a success supersedes the other attempts of its group; 0: none ever does.",
        ),
    ] = 3600.0
    repl: Annotated[
        str,
        Field(
            min_length=1,
            description="REPL that verifies: auto (the one that setup_lean.sh made), replay[:FILE], synthetic, or a "
            "command line.",
        ),
    ] = "auto"
    lean_project: Annotated[
        Path | None,
        Field(description="Folder of the Lean project in whose `lake env` a REPL given as a command line is started."),
    ] = None
    slots: Annotated[
        Literal["auto"] | Annotated[int, Field(ge=1, le=4096)],
        Field(
            description="Number of proofs that run at once. auto: one for each core that this container may use, or "
            "fewer if its memory is too small for that many REPLs."
        ),
    ] = "auto"
    memory_per_repl: Annotated[
        Literal["auto"] | Annotated[ByteSize, Field(ge=MIN_MEMORY)],
        Field(
            description="Private memory that one REPL may use, such as 4GiB; mapped libraries do not count. auto: "
            "an equal share of the memory of this machine, planned with 4GiB for a REPL with Mathlib and 1GiB without."
        ),
    ] = "auto"
    prewarm: Annotated[
        str,
        Field(
            description="Headers to import before the worker joins its group, the most used first, such as "
            "`Mathlib; Mathlib Aesop`; none; or auto: the root module of each library of the Lean project."
        ),
    ] = "auto"
    headers_per_repl: Annotated[
        Literal["auto"] | Annotated[int, Field(ge=1, le=MAX_HEADERS)],
        Field(
            description="Number of headers that one REPL process may hold, as long as they fit into half of "
            "MEMORY_PER_REPL. auto: as many as fit, judged by the memory that imports have added so far."
        ),
    ] = "auto"
    patience: Annotated[
        Seconds,
        Field(
            description="Seconds after which the proofs of a waiting header go before those that keep all REPLs busy."
        ),
    ] = 30.0
    quantum: Annotated[
        float,
        Field(
            ge=0,
            allow_inf_nan=False,
            description="How many times as long as the imports a REPL must have worked before it leaves its header "
            "for one that waits.",
        ),
    ] = 10.0
    long_timeout: Annotated[
        Seconds,
        Field(
            description="Timeout in seconds above which a proof is long work: with two slots or more one of them never "
            "takes any, so that short proofs do not wait behind it."
        ),
    ] = 120.0
    default_timeout: Annotated[
        Seconds, Field(description="Seconds that Lean may run if the request has no timeout.")
    ] = 60.0
    max_timeout: Annotated[Seconds, Field(description="Longest timeout in seconds that a request may ask for.")] = 600.0
    import_timeout: Annotated[Seconds, Field(description="Seconds that the import of a header may take.")] = 300.0
    sandbox: Annotated[
        Literal["auto", "bwrap", "none"],
        Field(description="Sandbox for Lean: bwrap (bubblewrap), none, or auto (bwrap if it works here, else none)."),
    ] = "auto"
    sandbox_read: Annotated[
        str,
        Field(description="More folders that Lean may read inside the sandbox, separated by colons."),
    ] = ""
    policy_allow: Annotated[
        str,
        Field(
            description="Commands, attributes and options of your own libraries that an audit accepts as harmless, "
            "such as `command:problem_file attribute:coe option:google.answer` (docs/policy.md)."
        ),
    ] = ""
    max_proof_bytes: Annotated[
        int,
        Field(
            ge=1,
            le=MAX_PROOF_BYTES,
            description="Size in bytes of UTF-8 that a proof, with its statement, may have at most. A worker answers "
            "a larger one without running it; `topics create` makes the topics large enough for it.",
        ),
    ] = 512 * 1024
    session_timeout_ms: Annotated[
        int,
        Field(
            ge=6_000,
            le=1_800_000,
            description="Milliseconds without a heartbeat after which Kafka gives a worker's partitions to others.",
        ),
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
    drain_timeout: Annotated[
        Seconds, Field(description="Seconds that running proofs are given to finish after SIGTERM.")
    ] = 60.0
    require: Annotated[
        Require,
        Field(description="Assurance that a proof needs to be verified if its request asks for none."),
    ] = "audited"
    deadlines: Annotated[
        Literal["heed", "ignore"],
        Field(
            description="heed: a proof that would start after its deadline is answered `expired`; ignore: it is run, "
            "as when a topic is verified again (docs/re-verify.md)."
        ),
    ] = "heed"
    require_min: Annotated[
        Require,
        Field(description="Lowest assurance that a request may ask for."),
    ] = "checked"
    upgrade: Annotated[
        Literal["none", "replayed", "cross_checked"],
        Field(
            description="Tier to which the worker takes what it has audited, unasked: the audited verdict is published "
            "at once, and a second result when the tier is reached (docs/tiers.md)."
        ),
    ] = "none"
    replay_slots: Annotated[
        int, Field(ge=1, le=256, description="Number of proofs that are taken above `audited` at once.")
    ] = 1
    replay_timeout: Annotated[
        Seconds,
        Field(description="Seconds for each step above `audited`: a compilation, an export, a reading, a kernel."),
    ] = 300.0
    replay_store: Annotated[
        str,
        Field(
            min_length=1,
            description="SQLite file that remembers which exports a kernel has accepted, none, or auto: in the state "
            "folder of the user.",
        ),
    ] = "auto"
    lean: Annotated[
        str,
        Field(
            min_length=1,
            description="The `lean` that compiles proofs for the tiers above `audited`; auto: that of the REPL.",
        ),
    ] = "auto"
    exporter: Annotated[
        str,
        Field(
            min_length=1,
            description="What exports compiled proofs: the path of olean-export, leanexport or lean4export, none, or "
            "auto: the first of them that is installed.",
        ),
    ] = "auto"
    leanchecker: Annotated[
        str,
        Field(
            min_length=1,
            description="Lean's own kernel as a program: the path of leanchecker, none, or auto: that of Lean.",
        ),
    ] = "auto"
    kernel: Annotated[
        str,
        Field(
            min_length=1,
            description="The independent kernel of `cross_checked`: nanoda_bin, a command line to which the path of "
            "the export is added (exit status 0 accepts, 101 refuses), none, or auto: nanoda_bin if it is installed.",
        ),
    ] = "auto"
    min_lean_version: Annotated[
        str,
        Field(
            pattern=r"^(any|v?[0-9]+\.[0-9]+\.[0-9]+(-rc[0-9]+)?)$",
            description="Oldest Lean that may verify. A worker whose Lean is older does not start: the kernels before "
            "4.34.1 have known bugs. `any` accepts every Lean that names its version.",
        ),
    ] = "4.34.1"
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
    http_host: Annotated[
        str,
        Field(
            pattern=r"^(\*|[A-Za-z0-9.:_-]+)$",
            description="Address that /live and /ready listen on, such as 127.0.0.1; *: every address of this machine.",
        ),
    ] = "*"
    http_port: Annotated[
        Literal["auto"] | Annotated[int, Field(ge=0, le=65_535)],
        Field(
            description="Port of /live, /ready and /metrics. auto: the first that is free from 9464 on; 0: any that is "
            "free. The port is logged."
        ),
    ] = "auto"
    advertised_url: Annotated[
        str | None,
        Field(
            pattern=rf"^https?://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:{_PORT})?/?$",
            description="Address under which others reach this process over HTTP, such as http://10.0.0.7:9464: `top` "
            "and `workers` a worker, the other instances of the results table this one. Default: this machine's "
            "address towards the brokers (or HTTP_HOST, if that names one), and the port that it listens on.",
        ),
    ] = None
    gateway_host: Annotated[
        str | None,
        Field(
            pattern=r"^[A-Za-z0-9.:_-]+$",
            description="Address that the gateway listens on. Default: 127.0.0.1 without API_KEYS, 0.0.0.0 with them.",
        ),
    ] = None
    gateway_port: Annotated[
        int, Field(ge=0, le=65_535, description="Port of the gateway. 0 takes a free port, which is logged.")
    ] = 8000
    api_keys: Annotated[
        SecretStr | None,
        Field(
            description="Keys of those who may call the gateway: NAME=KEY, several separated by blanks or commas. The "
            "names stand in the log."
        ),
    ] = None
    environments: Annotated[
        str,
        Field(
            description="Topics of other worker groups, for requests that name an `environment`: "
            "NAME=REQUEST_TOPIC:RESULT_TOPIC[:MODULES], several separated by `;` (docs/gateway.md)."
        ),
    ] = ""
    gateway_require: Annotated[
        Require,
        Field(
            description="Assurance that the gateway asks for where a request for /api/check or /verify asks for none."
        ),
    ] = "checked"
    gateway_wait: Annotated[
        Seconds,
        Field(
            description="Seconds that the gateway waits for the verdicts of a request before it answers without them."
        ),
    ] = 540.0
    gateway_requests: Annotated[
        int, Field(ge=1, description="Requests that the gateway holds at once; beyond them it answers 429.")
    ] = 1000
    gateway_memory: Annotated[
        ByteSize, Field(ge=1024, description="Bytes of requests that the gateway holds at once, such as 1GiB.")
    ] = cast("ByteSize", "1GiB")
    gateway_body: Annotated[
        ByteSize, Field(ge=1024, description="Bytes that the body of one request may have, such as 64MiB.")
    ] = cast("ByteSize", "64MiB")
    gateway_batch: Annotated[int, Field(ge=1, description="Proofs that one request may have.")] = 20_000
    gateway_in_flight: Annotated[
        int, Field(ge=1, description="Proofs that the gateway has on Kafka at once; the others wait for their turn.")
    ] = 4000
    gateway_in_flight_per_key: Annotated[
        int, Field(ge=1, description="Proofs of one API key that it has on Kafka at once.")
    ] = 2000
    gateway_in_flight_bytes: Annotated[
        ByteSize, Field(ge=1024, description="Bytes of proofs that it has on Kafka at once, such as 256MiB.")
    ] = cast("ByteSize", "256MiB")
    log_level: Annotated[
        Literal["trace", "debug", "info", "warning", "error"],
        Field(
            description="Lowest level of the events that are logged. trace: also every line of the Kafka client's own "
            "log, which is long."
        ),
    ] = "info"
    log_format: Annotated[
        Literal["text", "json"], Field(description="Form of the log: text for people, json for programs.")
    ] = "text"
    log_dir: Annotated[
        str | None,
        Field(
            min_length=1,
            description="Folder for the log, beside stderr: a file of each process, set aside at 20 MiB; five such are "
            "kept.",
        ),
    ] = None

    @field_validator("*", mode="before")
    @classmethod
    def _says_something(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse an empty flag or key, for which a path would take the working folder; an empty variable is none."""
        if isinstance(value, str):
            if not value.strip() and cls.model_fields[str(info.field_name)].default != "":
                raise ValueError("must not be empty")
            if "\0" in value or not is_encodable(value):
                raise ValueError("must be UTF-8 without zero bytes")
        return value

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

    @field_validator("api_keys")
    @classmethod
    def _names_keys(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            ApiKeys.parse(value.get_secret_value())
        return value

    @field_validator("environments")
    @classmethod
    def _names_environments(cls, value: str) -> str:
        parse_environments(value)
        return value

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

    @field_validator("result_topic", "dlq_topic", "ingest_topic", "groups_topic")
    @classmethod
    def _topics_differ(cls, value: str, info: ValidationInfo) -> str:
        # Only those that stand before the field are there already.
        others = ("request_topic", "result_topic", "dlq_topic", "ingest_topic")
        if value in [info.data.get(name) for name in others if name != info.field_name]:
            raise ValueError(
                "request_topic, result_topic, dlq_topic, ingest_topic and groups_topic must be five different topics"
            )
        return value

    @model_validator(mode="after")
    def _login_is_complete(self) -> Settings:
        if self.security_protocol.startswith("SASL") and not (self.sasl_username and self.sasl_password):
            raise _wrong("security_protocol", f"{self.security_protocol} needs sasl_username and sasl_password")
        if self.ssl_keyfile and not self.ssl_certfile:
            raise _wrong("ssl_keyfile", "needs ssl_certfile: the certificate that the key belongs to")
        return self

    @model_validator(mode="after")
    def _shared_cache_is_signed(self) -> Settings:
        if self.cache not in {"none", "memory"} and self.cache_key is None:
            # Refused and not warned of: whoever can write to the store could write verdicts.
            raise _wrong(
                "cache",
                "a cache that others may write to needs STREAMVERIFY_CACHE_KEY, which signs its entries: the same "
                "secret for all workers that share it (openssl rand -hex 32 makes one)",
            )
        return self

    @property
    def origins(self) -> Origins:
        """Where each setting comes from: for messages about one that turns out to be wrong when it is used."""
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
        """Flags over environment over file; no .env files: they surprise in containers."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, settings_file())


def load_settings(config_file: Path | None = None, **flags: Any) -> Settings:
    """Read the settings from flags, environment and file.

    Args:
        config_file: A TOML file; default: `$STREAMVERIFY_CONFIG`, else `streamverify.toml` where there is one.
        flags: Values from the command line, by field name; None counts as not given.

    Returns:
        The effective settings.

    Raises:
        SettingsError: Settings are wrong. The message has one line for each of them, with its name.
    """
    # The first event of a program that has our client may come from here.
    leave_to_the_program()
    given = {name: value for name, value in flags.items() if value is not None}
    with find_origins(config_file, given) as origins:
        _check_names(origins)
        try:
            settings = Settings(**given)
        except ValidationError as error:
            raise SettingsError("\n".join(explain(error.errors(), origins))) from None
    settings._origins = origins  # noqa: SLF001 - pydantic gives a model no other way to hold what is no field
    return settings


def _wrong(setting: str, message: str) -> PydanticCustomError:
    """Make the error of a setting that does not go with others."""
    # The message is an argument, because braces in it would be taken for a format.
    return PydanticCustomError("wrong_setting", "{message}", {"setting": setting, "message": message})


def _check_names(origins: Origins) -> None:
    """Refuse unknown keys of the settings file and unknown arguments of a client; warn of unknown variables."""
    # A command has no flag that is no setting; a program may say `Client(server=...)`, and has no flags.
    for name in sorted(origins.flags - Settings.model_fields.keys()):
        raise SettingsError(f"there is no setting `{name}`{_nearest(name)}")
    for name in sorted(origins.in_file - Settings.model_fields.keys()):
        raise SettingsError(f"{origins.file_name}: there is no setting `{name}`{_nearest(name)}")
    for name in sorted(origins.variables.keys() - Settings.model_fields.keys() - _OTHERS):
        if not name.startswith("test_"):  # the switches of our own tests
            _log.warning(
                "unknown_setting",
                name=origins.variables[name],
                hint=f"no setting has this name, so the variable has no effect{_nearest(name)}",
            )


def _nearest(name: str) -> str:
    near = difflib.get_close_matches(name, Settings.model_fields, n=1)
    return f"; did you mean `{near[0]}`?" if near else ""
