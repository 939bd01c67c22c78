"""Decides from the standard OTEL_* variables whether spans can be made at all, and opens what makes them.

Imports OpenTelemetry only where it is installed and wanted: it is the extra `otel`.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import TYPE_CHECKING

import structlog

from streamverify.core.log.secrets import without_secrets

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streamverify.telemetry.tracing import Tracing

_log = structlog.get_logger(__name__)

DEFAULT_ENDPOINT = "http://localhost:4318"
"""The address of OpenTelemetry's own default: a collector on the same machine."""
_PROTOCOL = "http/protobuf"


def open_tracing(service: str, *, instance: str, group: str, environ: Mapping[str, str] = os.environ) -> Tracing | None:
    """Open what makes spans of sampled requests.

    Nothing that is wrong with the configuration ends the process: it is said, and there are no spans.

    Args:
        service: `service.name` where OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES name none.
        instance: `service.instance.id`, under the same condition.
        group: The consumer group.
        environ: The environment.

    Returns:
        None where no spans are wanted, or none can be made.
    """
    exporter = _given(environ, "OTEL_TRACES_EXPORTER") or "otlp"
    if _given(environ, "OTEL_SDK_DISABLED") == "true" or exporter == "none":
        return None
    if not _is_installed():
        # Without an address nobody has asked for spans, and a line about them would be noise in every log.
        if endpoint_of(environ) != DEFAULT_ENDPOINT:
            _log.warning(
                "no_tracing",
                why="the extra `otel` is not installed",
                hint="OTEL_EXPORTER_OTLP_ENDPOINT is set, so spans are wanted: pip install 'streamverify[otel]'; or "
                "unset it",
            )
        return None
    protocol = _given(environ, "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL") or _PROTOCOL
    if exporter != "otlp" or protocol != _PROTOCOL:
        _log.warning(
            "no_tracing",
            why=f"OTEL_TRACES_EXPORTER={exporter}, protocol {protocol}",
            hint="spans go out by `otlp` over `http/protobuf` (port 4318 of a collector), or by `none`: unset "
            "OTEL_TRACES_EXPORTER and OTEL_EXPORTER_OTLP_PROTOCOL",
        )
        return None
    try:
        from streamverify.telemetry.tracing import Tracing, provider_over_otlp  # noqa: PLC0415 - the extra `otel`

        tracing = Tracing(provider_over_otlp(service, instance), group=group)
    except Exception as error:  # noqa: BLE001 - the SDK raises many kinds for a variable that it cannot read
        _log.warning(
            "no_tracing",
            why=without_secrets(repr(error)),
            hint="one of the OTEL_* variables has a value that OpenTelemetry does not take; proofs are verified "
            "without spans",
        )
        return None
    _log.info("tracing", endpoint=without_secrets(endpoint_of(environ)), of="requests whose traceparent is sampled")
    return tracing


def endpoint_of(environ: Mapping[str, str]) -> str:
    """Return the address to which the variables send spans."""
    given = (environ.get(f"OTEL_EXPORTER_OTLP_{name}", "").strip() for name in ("TRACES_ENDPOINT", "ENDPOINT"))
    return next(filter(None, given), DEFAULT_ENDPOINT)


def _given(environ: Mapping[str, str], *names: str) -> str:
    """Return the first of these variables that has a value, in lower case; "" where none has."""
    return next(filter(None, (environ.get(name, "").strip().lower() for name in names)), "")


def _is_installed() -> bool:
    try:
        return find_spec("opentelemetry.exporter.otlp.proto.http") is not None and (
            find_spec("opentelemetry.sdk.trace") is not None
        )
    except ModuleNotFoundError:  # find_spec imports the packages above, one of which is missing
        return False
