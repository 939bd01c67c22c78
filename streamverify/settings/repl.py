"""The settings of the pool of REPLs: which REPL, how many, what each may use, and who gets one next."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - pydantic reads the annotations
from typing import Annotated, Literal

from pydantic import BaseModel, ByteSize, Field, ValidationInfo, field_validator

from streamverify.core.scheduling.import_sizes import MAX_HEADERS
from streamverify.core.scheduling.prewarm import parse_prewarm
from streamverify.settings.values import Seconds, check_path

_MIN_MEMORY = 64 * 1024**2
"""Bytes below which no REPL starts."""


class ReplSettings(BaseModel):
    """The pool of REPLs: what runs in it, with which resources, and in which order."""

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
        Literal["auto"] | Annotated[ByteSize, Field(ge=_MIN_MEMORY)],
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

    @field_validator("prewarm")
    @classmethod
    def _names_modules(cls, value: str) -> str:
        # Parsed for its errors alone: the value stays the text that `config` shows and a variable has.
        if value != "auto":
            parse_prewarm(value)
        return value

    @field_validator("max_timeout")
    @classmethod
    def _max_above_default(cls, value: float, info: ValidationInfo) -> float:
        # It is not there if it is wrong itself, which is said anyway.
        default = info.data.get("default_timeout", 0.0)
        if value < default:
            raise ValueError(f"must not be below default_timeout ({default:g})")
        return value

    @field_validator("lean_project")
    @classmethod
    def _is_a_folder(cls, value: Path | None) -> Path | None:
        return check_path(value, folder=True)
