"""The page for who comes from an HTTP verifier names endpoints, commands and classes that there are."""

from __future__ import annotations

import re

from support import ROOT

import streamverify
from streamverify.core.messages.models import ProofRequest, Reason
from streamverify.gateway.routes import router

PAGE = (ROOT / "docs" / "coming-from-http.md").read_text("utf-8")


def test_its_endpoints_are_the_gateways() -> None:
    paths = {getattr(route, "path", "") for route in router.routes}
    named = set(re.findall(r"(?:POST |or )`?(/[a-z0-9_/]+)", PAGE))
    assert len(named) >= 3
    assert named <= paths


def test_its_classes_and_functions_can_be_imported() -> None:
    named = set(re.findall(r"from streamverify import (\w+)", PAGE)) | {"Client", "AsyncClient", "tactics"}
    assert {name for name in named if not hasattr(streamverify, name)} == set()


def test_its_commands_are_there() -> None:
    commands = set(re.findall(r"`streamverify ([a-z]+)", PAGE))
    assert commands
    assert {name for name in commands if not (ROOT / "streamverify" / "cli" / f"{name}.py").is_file()} == set()


def test_its_fields_and_reasons_are_those_of_the_messages() -> None:
    fields = {"custom_id", "timeout", "disable_cache", "infotree_type", "require", "statement", "run"}
    assert fields <= set(ProofRequest.model_fields)
    reasons = set(re.findall(r"`(?:rejected|inconclusive)/([a-z_]+)`", PAGE))
    assert reasons
    assert reasons <= set(Reason)
