"""Checks that what was found here is fit for what the settings ask of a worker, in words that say what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from streamverify.core.errors import ReplUnavailable, SettingsError
from streamverify.core.messages.models import Assurance
from streamverify.core.messages.versions import is_older
from streamverify.settings import Settings

if TYPE_CHECKING:
    from streamverify.core.messages.models import Verifier
    from streamverify.lean.kernel.reachable_tiers import ReachableTiers

_log = structlog.get_logger(__name__)

SAFE_LEAN: str = Settings.model_fields["min_lean_version"].default
"""The oldest Lean without a known bug of its kernel: the default of the setting."""


def check_verifier(verifier: Verifier, settings: Settings) -> None:
    """Check that what verifies is what the settings ask for, and warn where it cannot do what they promise.

    Raises:
        ReplUnavailable: Lean is older than `min_lean_version`, or does not say how old it is.
        SettingsError: A least version of Lean was asked for, and there is no Lean.
    """
    if refusal := too_old(verifier, settings.min_lean_version):
        raise ReplUnavailable(refusal)
    asked = "min_lean_version" in settings.model_fields_set and settings.min_lean_version != "any"
    if verifier.kind != "lean" and asked:
        # By default a stand-in may answer: each of its results says that it is no Lean.
        raise SettingsError(
            f"STREAMVERIFY_MIN_LEAN_VERSION (--min-lean-version): {settings.min_lean_version} is asked for, and "
            f"repl={settings.repl} is no Lean at all: leave that setting out, or name a Lean with STREAMVERIFY_REPL"
        )
    if verifier.kind != "lean" and {settings.require, settings.require_min} != {"checked"}:
        _log.warning(
            "cannot_audit",
            verifier=verifier.kind,
            hint="requests that need an audit are answered `unsupported`; set STREAMVERIFY_REQUIRE=checked for a trial",
        )
    if verifier.kind == "lean" and is_older(verifier.lean_version, SAFE_LEAN):
        # MIN_LEAN_VERSION allows it.
        _log.warning("lean_with_known_bugs", lean_version=verifier.lean_version, hint=known_bugs())


def check_reachable_tiers(reachable: ReachableTiers, verifier: Verifier, settings: Settings) -> None:
    """Check that the tiers above `audited` that the settings name can be reached, and warn where only requests suffer.

    Raises:
        ReplUnavailable: UPGRADE asks for a tier that cannot be reached here: nobody would ever see that it is not.
    """
    if Assurance(settings.upgrade) > reachable.tier:
        raise ReplUnavailable(
            f"STREAMVERIFY_UPGRADE (--upgrade): {settings.upgrade} cannot be reached here: {reachable.lacks}. "
            "`streamverify doctor` says more; docs/tiers.md how to install what is missing."
        )
    asked = max(Assurance(settings.require), Assurance(settings.require_min))
    if verifier.kind == "lean" and asked > reachable.tier:
        _log.warning(
            "tier_out_of_reach",
            require=str(asked),
            reaches=str(reachable.tier),
            why=reachable.lacks,
            hint="requests that need the tier are answered `unsupported`; docs/tiers.md says what it needs",
        )


def too_old(verifier: Verifier, least: str) -> str | None:
    """Word why this Lean is too old to verify, and what to do; None if it may verify. Stand-ins have no version."""
    if verifier.kind != "lean" or not is_older(verifier.lean_version, least):
        return None
    found = f"is {verifier.lean_version}" if verifier.lean_version else "does not say its version"
    return (
        f"STREAMVERIFY_MIN_LEAN_VERSION (--min-lean-version): Lean must be at least {least}, and this one {found}: "
        f"install a newer one (./setup_lean.sh), or lower the setting (any: every Lean may verify)"
    )


def known_bugs() -> str:
    """Word what is wrong with a Lean that is older than `SAFE_LEAN`."""
    return (
        f"kernels before {SAFE_LEAN} have known bugs, with which a false statement may be proved: `verified` is worth "
        "less (docs/audit.md); ./setup_lean.sh installs a newer Lean"
    )
