"""What the bill of materials of a release must say."""

from __future__ import annotations

from typing import Any

from release.sbom import complete, lacks

KNOWN = {"protobuf": "BSD-3-Clause", "typing-extensions": "PSF-2.0"}


def bom() -> dict[str, Any]:
    """Return one as cyclonedx-py makes it: of ours no version, and of protobuf no licence."""
    return {
        "metadata": {"component": {"name": "streamverify", "type": "application"}},
        "components": [
            {"name": "protobuf", "version": "7.0"},
            {"name": "typing_extensions", "version": "4.0", "licenses": [{"license": {"id": "PSF-2.0"}}]},
        ],
    }


def test_what_is_missing_is_said() -> None:
    assert lacks(bom(), KNOWN | {"orjson": "MIT"}) == [
        "the version of what it describes",
        "orjson",
        "the licence of protobuf",
    ]


def test_a_completed_one_says_which_version_of_ours_it_is_of_and_has_every_licence() -> None:
    made = bom()
    complete(made, "streamverify", "1.2.3", KNOWN)
    assert lacks(made, KNOWN) == []
    ours = made["metadata"]["component"]
    assert (ours["version"], ours["purl"]) == ("1.2.3", "pkg:pypi/streamverify@1.2.3")
    assert made["components"][0]["licenses"] == [{"expression": "BSD-3-Clause"}]
    # What the package says itself is left as it is.
    assert made["components"][1]["licenses"] == [{"license": {"id": "PSF-2.0"}}]


def test_a_package_that_nobody_knows_the_licence_of_is_no_package_of_a_release() -> None:
    made = bom()
    complete(made, "streamverify", "1.2.3", {})
    assert lacks(made, {}) == ["the licence of protobuf"]
