"""The topics of a process around Faust: its changelog gets as many partitions as its source has, or it says why not."""

from __future__ import annotations

from typing import Any

import pytest
from aiokafka.errors import InvalidPartitionsError

from streamverify.core.errors import BrokerUnavailable
from streamverify.router.router import router_names
from streamverify.settings import load_settings
from streamverify.streams import source_topic

SETTINGS = load_settings()
NAMES = router_names(SETTINGS)


class Admin:
    """An admin client that gives topics partitions, or refuses."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.totals: dict[str, int] = {}

    async def create_partitions(self, totals: dict[str, Any]) -> None:
        if self.error is not None:
            raise self.error
        self.totals |= {topic: new.total_count for topic, new in totals.items()}


async def prepare(monkeypatch: pytest.MonkeyPatch, admin: Any, *, source_has: int, changelog_has: int) -> int:
    has = {NAMES.source: source_has, NAMES.changelog: changelog_has, "lean.proofs": 7}

    async def require_topics(_admin: Any, _settings: Any, names: list[str]) -> dict[str, list[int]]:
        return {name: list(range(has[name])) for name in names}

    monkeypatch.setattr(source_topic, "require_topics", require_topics)
    return await source_topic.prepare_source(admin, SETTINGS, NAMES, ["lean.proofs"])


@pytest.mark.parametrize(("changelog_has", "totals"), [(12, {}), (4, {NAMES.changelog: 12})])
async def test_a_changelog_that_lacks_partitions_gets_them(
    monkeypatch: pytest.MonkeyPatch, changelog_has: int, totals: dict[str, int]
) -> None:
    admin = Admin()
    assert await prepare(monkeypatch, admin, source_has=12, changelog_has=changelog_has) == 12
    assert admin.totals == totals


async def test_a_changelog_of_an_older_topic_is_to_be_deleted_by_a_person(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BrokerUnavailable, match=f"delete {NAMES.changelog} too"):
        await prepare(monkeypatch, Admin(), source_has=4, changelog_has=12)


async def test_a_broker_that_refuses_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BrokerUnavailable, match=f"does not extend the topic {NAMES.changelog} to 12"):
        await prepare(monkeypatch, Admin(InvalidPartitionsError()), source_has=12, changelog_has=4)
