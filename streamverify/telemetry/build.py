"""Makes the metric that says what a process is: its version, and those of what verifies in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamverify.version import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streamverify.core.messages.models import Verifier


def build_info(verifier: Verifier | None = None) -> Mapping[tuple[str, ...], float]:
    """Make the one series of `streamverify_build_info`; without a verifier nothing verifies in this process."""
    found = (
        ("", "", "", "", "", "")
        if verifier is None
        else (
            str(verifier.kind),
            verifier.lean_version or "",
            verifier.repl_version or "",
            verifier.mathlib_version or "",
            verifier.policy_version or "",
            verifier.sandbox,
        )
    )
    return {(__version__, *found): 1}
