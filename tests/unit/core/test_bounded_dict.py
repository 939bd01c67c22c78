from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streamverify.core.bounded_dict import BoundedDict

_KEYS = st.integers(0, 7)


@given(
    st.integers(1, 5),
    st.lists(st.tuples(st.sampled_from(["write", "use", "delete", "setdefault", "update"]), _KEYS, st.integers())),
)
def test_it_has_the_last_entries_that_were_written_or_used(limit: int, steps: list[tuple[str, int, int]]) -> None:
    bounded: BoundedDict[int, int] = BoundedDict(limit)
    # The model: all pairs, the youngest last. No more of it is kept than the newest `limit`.
    model: list[tuple[int, int]] = []
    for step, key, value in steps:
        known = dict(model)
        if step in {"write", "update"} or (step == "setdefault" and key not in known):
            model = [*(pair for pair in model if pair[0] != key), (key, value)][-limit:]
        elif step == "use" and key in known:
            model = [*(pair for pair in model if pair[0] != key), (key, known[key])]
        elif step == "delete":
            model = [pair for pair in model if pair[0] != key]

        match step:
            case "write":
                bounded[key] = value
            case "update":
                bounded.update({key: value})
            case "setdefault":
                assert bounded.setdefault(key, value) == known.get(key, value)
            case "use" if key in bounded:
                bounded.move_to_end(key)
            case "delete":
                bounded.pop(key, None)

        assert list(bounded.items()) == model
        assert len(bounded) <= limit
        assert bounded.get(key) == dict(model).get(key)


def test_an_entry_that_is_written_again_drives_out_no_other() -> None:
    bounded: BoundedDict[str, int] = BoundedDict(2)
    bounded["first"] = 1
    bounded["second"] = 2

    bounded["first"] = 3

    assert bounded == {"second": 2, "first": 3}
