"""Makes the flags for settings from `Settings`: each setting is a flag of its own name."""

from __future__ import annotations

import functools
import inspect
from dataclasses import MISSING, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_type_hints

import typer
from pydantic_core import PydanticUndefined
from rich.markup import escape

from streamverify.core.errors import StreamVerifyError
from streamverify.logs import configure
from streamverify.setting_sources import PREFIX, flag_of
from streamverify.settings import Settings, load_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CONNECTION = (
    "bootstrap_servers",
    "security_protocol",
    "sasl_mechanism",
    "sasl_username",
    "sasl_password",
    "ssl_cafile",
    "ssl_certfile",
    "ssl_keyfile",
    "ssl_keyfile_password",
)
"""The settings of every command that talks to Kafka."""
REQUESTS = (*CONNECTION, "request_topic")
RESULTS = (*CONNECTION, "result_topic")
BOTH = (*CONNECTION, "request_topic", "result_topic")
EVERYTHING = tuple(Settings.model_fields)
GATEWAY = ("api_keys", "environments", *(name for name in EVERYTHING if name.startswith("gateway_")))
"""The settings of the gateway alone."""
WORKER = tuple(name for name in EVERYTHING if name not in GATEWAY)

_PANEL = "Settings (flag over environment over streamverify.toml)"


def with_settings(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the flags of these settings, and `--config`; it gets the result as its argument `settings`.

    The values of the flags go to `load_settings` as text, so a wrong value gets the same message from a flag as from a
    variable.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(command, eval_str=True).parameters.values()

        @functools.wraps(command)
        def run(**given: Any) -> None:
            flags = {name: given.pop(name) for name in names}
            settings = load_settings(given.pop("config"), **flags)
            # Until here only the environment has said how to log (`logging_wanted`); services set it up once more.
            if settings.origins.place("log_level") == "file" or settings.origins.place("log_format") == "file":
                configure(settings.log_level, settings.log_format)
            try:
                command(settings=settings, **given)
            except StreamVerifyError as error:
                # A setting may turn out to be wrong only where it is used, where nobody knows where it came from.
                error.args = (settings.origins.reworded(str(error)), *error.args[1:])
                raise

        config = typer.Option(
            "--config",
            metavar="FILE",
            rich_help_panel=_PANEL,
            help=escape(f"Settings file (TOML). Default: streamverify.toml if there is one. [env: {PREFIX}CONFIG]"),
        )
        _sign(
            run,
            [
                *(parameter.replace(kind=parameter.KEYWORD_ONLY) for parameter in own if parameter.name != "settings"),
                _parameter("config", Annotated[Path | None, config]),
                *(_flag(name) for name in names),
            ],
        )
        return run

    return decorate


def with_flags(kind: type[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the fields of a dataclass as flags, by their annotations; it gets one as its argument `given`."""
    hints = get_type_hints(kind, include_extras=True)
    parts = fields(kind)

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def run(**arguments: Any) -> None:
            given = kind(**{each.name: arguments.pop(each.name) for each in parts})
            command(given=given, **arguments)

        own = inspect.signature(command, eval_str=True).parameters.values()
        added = [
            inspect.Parameter(
                each.name,
                inspect.Parameter.KEYWORD_ONLY,
                annotation=hints[each.name],
                # An argument has no default.
                default=inspect.Parameter.empty if each.default is MISSING else each.default,
            )
            for each in parts
        ]
        _sign(run, [*added, *(parameter for parameter in own if parameter.name != "given")])
        return run

    return decorate


def logging_wanted(environment: Mapping[str, str]) -> tuple[str, str]:
    """Choose level and form of the log before the settings are read, and for commands that have none.

    Returns:
        What the environment says; a wrong value is left to `load_settings` to complain about. By default only warnings
        are shown: a command that a person runs says on stderr what it has to say, and services set their own level.
    """
    level, form = (environment.get(f"{PREFIX}{name}", "") for name in ("LOG_LEVEL", "LOG_FORMAT"))
    return (
        level if level in get_args(Settings.model_fields["log_level"].annotation) else "warning",
        form if form in get_args(Settings.model_fields["log_format"].annotation) else "text",
    )


def _sign(run: Callable[..., None], parameters: list[inspect.Parameter]) -> None:
    """Make Typer see these parameters: it asks for the signature, and for the annotations where they are texts."""
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}


def _flag(name: str) -> inspect.Parameter:
    field = Settings.model_fields[name]
    default = "" if field.default in {None, PydanticUndefined} else f", default: {field.default}"
    option = typer.Option(
        flag_of(name),
        metavar="VALUE",
        rich_help_panel=_PANEL,
        help=escape(f"{field.description} [env: {PREFIX}{name.upper()}{default}]"),
    )
    return _parameter(name, Annotated[str | None, option])


def _parameter(name: str, annotation: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
