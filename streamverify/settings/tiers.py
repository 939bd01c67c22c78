"""The settings of the tiers above `audited`: their programs, and the oldest Lean that may verify."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from streamverify.settings.values import Seconds  # noqa: TC001 - pydantic reads the annotations


class TierSettings(BaseModel):
    """The steps above `audited`, and the programs that they need."""

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
