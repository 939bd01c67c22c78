"""Which Lean may verify: by default none with a known bug of its kernel."""

from __future__ import annotations

import pytest

from streamverify.core.errors import ReplUnavailable, SettingsError
from streamverify.core.messages.models import Verifier
from streamverify.settings import load_settings
from streamverify.worker.start_checks import check_verifier


@pytest.mark.parametrize("version", ["4.34.1", "4.34.2", "4.35.0", "5.0.0"])
def test_a_lean_without_a_known_bug_may_verify(version: str) -> None:
    check_verifier(Verifier(kind="lean", lean_version=version), load_settings())


@pytest.mark.parametrize("version", ["4.34.0", "4.34.1-rc1", "4.33.9", "4.0.0-m3", "nightly", None])
def test_an_older_lean_or_one_of_unknown_age_ends_the_worker_with_4(version: str | None) -> None:
    with pytest.raises(ReplUnavailable) as caught:
        check_verifier(Verifier(kind="lean", lean_version=version), load_settings())
    assert caught.value.exit_code == 4
    said = str(caught.value)
    assert "STREAMVERIFY_MIN_LEAN_VERSION" in said
    assert "./setup_lean.sh" in said
    assert "any: every Lean may verify" in said
    assert "\n" not in said


@pytest.mark.parametrize("version", ["4.0.0-m3", None])
def test_any_lean_may_where_the_setting_says_so(version: str | None) -> None:
    check_verifier(Verifier(kind="lean", lean_version=version), load_settings(min_lean_version="any"))


@pytest.mark.parametrize("kind", ["replay", "synthetic"])
def test_a_stand_in_is_refused_only_where_somebody_asked_for_a_lean(kind: str) -> None:
    check_verifier(Verifier(kind=kind), load_settings())
    check_verifier(Verifier(kind=kind), load_settings(min_lean_version="any"))
    with pytest.raises(SettingsError, match="is no Lean at all: leave that setting out"):
        check_verifier(Verifier(kind=kind), load_settings(min_lean_version="4.34.1"))
