"""The command line of a soak: what is wrong with it is one line, and nothing is started."""

from __future__ import annotations

import pytest
from soak.__main__ import arguments


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--faults", "kill_worker,nonsense"], "no fault is named nonsense"),
        (["--minutes", "0"], "--minutes"),
        (["--rate", "nan"], "--rate"),
        (["--nodes", "2"], "--nodes"),
    ],
)
def test_what_is_wrong_is_said_and_ends_with_2(given: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        arguments(given)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_an_hour_of_200_a_second_is_what_there_is_without_a_word() -> None:
    asked = arguments([])
    assert (asked.minutes, asked.rate, asked.nodes) == (60.0, 200.0, 3)
    assert arguments(["--faults", "take_name,half_cluster"]).faults == "take_name,half_cluster"
