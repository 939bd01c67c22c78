"""The page in a real browser: what it shows, that nothing in Lean's output takes effect, and who can use it."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

import pytest
from browser import chromium, complaints, resize
from page_browser import find, texts, verify, wait
from page_fakes import KEY, Served, message, rejected, result, served
from selenium.webdriver import Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from streamverify.core.gateway.live import LastVerdict
from streamverify.core.messages.models import Timings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from selenium.webdriver import Chrome

HOSTILE = '</pre><img src=x onerror="document.title=1"><script>document.title=2</script>&lt;\u202eevil\u0007'
SHOWN = HOSTILE.replace("\u202e", "⟨U+202E⟩").replace("\u0007", "⟨U+0007⟩")


@pytest.fixture(scope="module")
def browser() -> Iterator[Chrome]:
    with chromium() as made:
        yield made


@pytest.fixture
def page(browser: Chrome) -> Iterator[Served]:
    """The page, loaded and connected. The browser has complained of nothing by the end of the test."""
    with served() as server:
        browser.get(server.url)
        wait(browser, "#connection", "Connected")
        yield server
        assert complaints(browser) == []
        browser.get("about:blank")


# --- verdicts -------------------------------------------------------------------------------------------------------


def test_a_verified_proof_with_its_theorem_and_axioms(browser: Chrome, page: Served) -> None:
    verify(browser, page, "theorem target : 1 + 1 = 2 := rfl", result())
    assert find(browser, "#announcement").text == "✓ verified (audited): " + result()["summary"]
    shown = dict(zip(texts(browser, "#verdict dt"), texts(browser, "#verdict dd"), strict=True))
    assert shown["Theorem"] == "target : 1 + 1 = 2"
    assert shown["Axioms"] == "propext"
    assert shown["Verifier"] == "Lean 4.35.0, sandbox bwrap"
    assert "run 0.250 s" in shown["Time"]


def test_each_message_stands_at_its_line_with_what_it_means_marked(browser: Chrome, page: Served) -> None:
    # Lean counts code points: 𝔸 and 😀 are one each, and two units of UTF-16.
    proof = "import Mathlib\n-- 𝔸😀𝔹 é\ntheorem t : 𝔸 = 𝔹 := by 😀 simp\n\ndone"
    messages = [
        message("late", 5, 0, severity="info"),
        message("at 𝔹", 3, 16, 17),
        message("at simp", 3, 26, 30, severity="warning"),
        message("to the end of the line", 2, 5) | {"endPos": {"line": 4, "column": 0}},
        message("beyond the file", 99, 3),
        message("beyond the line", 1, 400, 500),
    ]
    answer = rejected("lean_error", response={"messages": messages})
    verify(browser, page, proof, answer)
    items = browser.find_elements(By.CSS_SELECTOR, "#verdict .items > li")
    told = [
        (
            item.find_element(By.CSS_SELECTOR, "button").text,
            item.find_element(By.CSS_SELECTOR, "strong").text,
            [mark.get_attribute("textContent") for mark in item.find_elements(By.CSS_SELECTOR, "mark")],
            item.find_element(By.CSS_SELECTOR, "div > pre").text,
        )
        for item in items
    ]
    assert told == [
        ("line 1, column 400", "error", ["\u00a0"], "beyond the line"),
        ("line 2, column 5", "error", ["𝔹 é"], "to the end of the line"),
        ("line 3, column 16", "error", ["𝔹"], "at 𝔹"),
        ("line 3, column 26", "warning", ["simp"], "at simp"),
        ("line 5, column 0", "info", ["d"], "late"),
        ("line 99, column 3", "error", [], "beyond the file"),
    ]
    assert texts(browser, "#verdict pre.source")[2] == "theorem t : 𝔸 = 𝔹 := by 😀 simp"
    # The button selects the place in the text area.
    items[3].find_element(By.CSS_SELECTOR, "button").click()
    selected = "const a = document.activeElement; return [a.id, a.value.slice(a.selectionStart, a.selectionEnd)]"
    assert browser.execute_script(selected) == ["proof", "simp"]


def test_findings_are_explained(browser: Chrome, page: Served) -> None:
    finding = {"rule": "axiom", "line": 1, "column": 0, "excerpt": "axiom cheat", "count": 1}
    unknown = {"rule": "of_tomorrow", "line": 2, "column": 3, "excerpt": "x", "count": 4}
    answer = rejected("policy", response=None, error="the policy objects", findings=[finding, unknown])
    verify(browser, page, "axiom cheat : False", answer)
    [first, second] = texts(browser, "#verdict .items > li")
    assert "line 1, column 0" in first
    assert "An axiom of the proof's own proves anything." in first
    assert "a declaration without proof" in first
    assert "of_tomorrow (4 times)" in second
    assert "rejected (policy)" in find(browser, "#announcement").text


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"status": "inconclusive", "reason": "timeout", "summary": "Lean took longer than 60 s."}, "? inconclusive"),
        ({"status": "inconclusive", "reason": "out_of_memory", "retriable": True}, "may have another verdict"),
        # Not what was asked for: the gateway takes it for no verdict.
        ({"assurance": "checked"}, "? inconclusive (unsupported)"),
        ({"verifier": {"kind": "replay", "sandbox": "none"}}, "a stand-in (replay): this is no verdict of Lean"),
        ({"truncated": ["infotree", "messages: 8,113 of 9,000"]}, "infotree, messages: 8,113 of 9,000"),
    ],
)
def test_other_verdicts(browser: Chrome, page: Served, fields: dict[str, Any], words: str) -> None:
    verify(browser, page, "x", result(**fields))
    assert words in find(browser, "main").text


def test_a_refusal_is_told_and_is_no_verdict(browser: Chrome, page: Served) -> None:
    browser.execute_script("document.getElementById('proof').value = 'x \\ud800 y'")
    find(browser, "#verify").click()
    wait(browser, "#announcement", "Not verified: proof: ")
    assert "half of a surrogate pair" in find(browser, "#announcement").text
    assert page.gateway.fake.sent == []
    # The browser itself writes a line about any answer of this kind.
    assert all("422" in said for said in complaints(browser))


def test_statement_assurance_and_time_limit_are_sent(browser: Chrome, page: Served) -> None:
    find(browser, "#statement").send_keys("theorem t : True := by sorry")
    find(browser, "#require option[value=audited]").click()
    find(browser, "#timeout").send_keys("7")
    verify(browser, page, "theorem t : True := trivial", result())
    [(proof, asked, _)] = page.gateway.fake.sent
    assert (proof.code, proof.statement) == ("theorem t : True := trivial", "theorem t : True := by sorry")
    assert (asked.require, asked.timeout) == ("audited", 7)


def test_one_may_stop_waiting(browser: Chrome, page: Served) -> None:
    page.gateway.fake.held.clear()
    find(browser, "#proof").send_keys("x")
    find(browser, "#verify").click()
    wait(browser, "#announcement", "Waiting")
    find(browser, "#verify").click()
    find(browser, "#stop").click()
    wait(browser, "#announcement", "No longer waited for")
    assert len(page.gateway.fake.sent) == 1, "a second click while the first is waited for sends nothing"
    page.gateway.fake.held.set()


def test_a_long_message_and_many_messages_are_shown_bit_by_bit(browser: Chrome, page: Served) -> None:
    many = [message(f"message {number}", 1, 0) for number in range(120)]
    many[0]["data"] = "long " * 5000
    verify(browser, page, "x", result(response={"messages": many}))
    assert len(texts(browser, "#verdict li")) == 50
    assert len(texts(browser, "#verdict li > div > pre")[0]) < 5000
    find(browser, "#verdict li > div > button").click()
    assert len(texts(browser, "#verdict li > div > pre")[0]) == 25_000
    for left, shown in ((70, 100), (20, 120)):
        more = find(browser, "#verdict > div > button")
        assert more.text == f"Show more ({left} left)"
        more.send_keys(Keys.ENTER)
        assert len(texts(browser, "#verdict li")) == shown
        assert browser.execute_script("return document.activeElement.className") == "place", "the focus is not lost"
    assert browser.find_elements(By.CSS_SELECTOR, "#verdict > div > button") == []


# --- hostile text ---------------------------------------------------------------------------------------------------


def test_nothing_from_outside_takes_effect(browser: Chrome, page: Served) -> None:
    finding = {"rule": HOSTILE, "line": 1, "column": 0, "excerpt": HOSTILE, "count": 1}
    answer = result(
        status="rejected",
        reason="policy",
        summary=HOSTILE,
        assurance="none",
        theorems=[{"name": HOSTILE, "type": HOSTILE, "axioms": [HOSTILE]}],
        findings=[finding],
        response={"messages": [message(HOSTILE, 1, 0, 3, severity=HOSTILE)]},
        worker=HOSTILE,
        verifier={"kind": "lean", "sandbox": HOSTILE, "lean_version": HOSTILE},
    )
    seen = LastVerdict(custom_id=HOSTILE, status=HOSTILE, reason=HOSTILE, summary=HOSTILE, at=0)
    page.gateway.live.seen(seen, 0.0)
    page.gateway.live.answered(seen, "anybody", HOSTILE, Timings(run=1.0))
    wait(browser, "#last", "evil")
    verify(browser, page, HOSTILE, answer)
    assert browser.title == "streamverify"
    assert browser.find_elements(By.CSS_SELECTOR, "main img, main script, pre pre") == []
    assert SHOWN in texts(browser, "#announcement")[0]
    assert texts(browser, "#verdict li > div > pre") == [SHOWN]
    assert texts(browser, "#verdict li > pre.source") == [SHOWN, SHOWN]
    assert texts(browser, "#headers td.lean") == texts(browser, "#last td.lean") == [SHOWN]
    assert texts(browser, "#reasons dt") == [SHOWN]
    assert "\u202e" not in find(browser, "body").get_attribute("textContent").replace(HOSTILE, "")  # type: ignore[union-attr]


def test_the_browser_itself_would_stop_markup_and_scripts(browser: Chrome) -> None:
    with served() as page:
        browser.get(page.url)
        wait(browser, "#connection", "Connected")
        attack = """
            const tried = [];
            const attempt = (action) => {
                try { action(); tried.push("done"); } catch (error) { tried.push(error.name); }
            };
            attempt(() => { document.body.innerHTML = "<p>"; });
            attempt(() => { window.trustedTypes.createPolicy("mine", {}); });
            attempt(() => { const s = document.createElement("script"); s.textContent = "document.title = 3";
                            document.body.append(s); });
            const image = document.createElement("img");
            attempt(() => { image.setAttribute("onerror", "document.title = 4"); });
            image.src = "http://127.0.0.1:9/tell?everything";
            document.body.append(image);
            return tried;
        """
        assert browser.execute_script(attack) == ["TypeError"] * 4
        said = ""
        while "img-src 'self'" not in said:  # until the test's own time limit
            said += " ".join(complaints(browser))
        assert "127.0.0.1:9" in said
        assert browser.title == "streamverify"
        browser.get("about:blank")


# --- who can use it -------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("page")
def test_the_keyboard_reaches_everything_in_the_order_of_the_page(browser: Chrome) -> None:
    find(browser, "body").send_keys(Keys.TAB)
    order = []
    for _ in range(8):
        order.append(browser.execute_script("const a = document.activeElement; return a.id || a.textContent"))
        browser.switch_to.active_element.send_keys(Keys.TAB)
    assert order[:2] == ["Skip to the proof", "HTTP interface (OpenAPI)"]
    assert order[2:] == ["proof", "statement", "require", "timeout", "verify", "headers"]
    proof = find(browser, "#proof")
    proof.send_keys("x")
    proof.send_keys(Keys.CONTROL, Keys.ENTER)
    wait(browser, "#announcement", "verified")
    assert browser.switch_to.active_element == proof, "a verdict takes nobody's focus"


def test_a_screen_reader_has_a_name_for_everything(browser: Chrome, page: Served) -> None:
    seen = LastVerdict(custom_id="a", status="verified", reason="ok", summary="fine", at=0)
    page.gateway.live.seen(seen, 0.0)
    wait(browser, "#last", "fine")
    answer = result(response={"messages": [message("wrong", 1, 0, 1)]})
    verify(browser, page, "x", answer)
    tree = browser.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    nodes = [
        (node["role"]["value"], node.get("name", {}).get("value", ""), properties(node))
        for node in tree
        if not node["ignored"]
    ]
    named = {"button", "textbox", "combobox", "spinbutton", "link", "region", "table", "heading"}
    assert [(role, name) for role, name, _ in nodes if role in named and not name.strip()] == []
    by_role = {(role, name) for role, name, _ in nodes}
    assert {("textbox", "Proof"), ("button", "Verify"), ("combobox", "Assurance")} <= by_role
    assert {("region", "Verdict"), ("region", "Live state"), ("table", "Last verdicts")} <= by_role
    assert ("columnheader", "verdict") in by_role
    # The verdict is read out; numbers that change each second are not.
    live = [role for role, _, has in nodes if has.get("live") in {"polite", "assertive"} and has.get("root") is None]
    assert "status" in live
    assert browser.execute_script("return document.querySelector('#live, #last').closest('[aria-live]')") is None
    assert find(browser, "html").get_attribute("lang") == "en"


def properties(node: dict[str, Any]) -> dict[str, Any]:
    return {one["name"]: one["value"].get("value") for one in node.get("properties", ())}


@pytest.mark.parametrize("width", [320, 360, 768, 1280])
def test_no_width_makes_the_page_scroll_sideways(browser: Chrome, page: Served, width: int) -> None:
    resize(browser, width, 800)
    word = "x" * 3000
    one = LastVerdict(custom_id=word, status="verified", reason="ok", summary=word, at=0)
    page.gateway.live.seen(one, 0.0)
    page.gateway.live.answered(one, "anybody", "import " + word, Timings(run=1.0))
    wait(browser, "#last", "xxx")
    finding = {"rule": "axiom", "line": 1, "column": 0, "excerpt": word, "count": 1}
    theorem = {"name": word, "type": word, "axioms": [word]}
    answer = result(summary=word, theorems=[theorem], findings=[finding], response={"messages": [message(word, 1, 0)]})
    verify(browser, page, word, answer)
    wide = browser.execute_script("return document.documentElement.scrollWidth")
    resize(browser, 1280, 1000)
    assert wide <= width


# --- keys and the live state ----------------------------------------------------------------------------------------


def test_a_key_is_asked_for_and_stays_out_of_every_address(browser: Chrome) -> None:
    with served(api_keys=f"ann={KEY}") as page:
        browser.get(page.url)
        wait(browser, "#connection", "Connecting")
        for key, word in (("wrong-key", "does not know this key"), (KEY, "")):
            WebDriverWait(browser, 30).until(lambda _: find(browser, "#key").is_displayed())
            find(browser, "#key").send_keys(key, Keys.ENTER)
            wait(browser, "#key-error" if word else "#connection", word or "Connected")
        verify(browser, page, "x", result())
        assert [key for _, _, key in page.gateway.fake.sent] == ["ann"]
        addresses = browser.execute_script("return performance.getEntries().map((entry) => entry.name)")
        assert not any(KEY in address or "wrong-key" in address for address in [*addresses, browser.current_url])
        assert browser.get_cookies() == []
        assert browser.execute_script("return localStorage.length") == 0
        # The same tab keeps it over a reload.
        browser.refresh()
        wait(browser, "#connection", "Connected")
        complaints(browser)
        browser.execute_script("sessionStorage.clear()")
        browser.get("about:blank")


def test_the_live_state_is_followed(browser: Chrome, page: Served) -> None:
    live = page.gateway.live
    for number in range(3):
        live.seen(LastVerdict(f"id {number}", "rejected", "lean_error", "no goals", 0), 0.0)
    live.answered(
        LastVerdict("a", "verified", "ok", "", 0), "anybody", "import Mathlib", Timings(import_=12.5, run=1.0)
    )
    wait(browser, "#reasons", "lean_error")
    assert texts(browser, "#reasons dd") == ["3"]
    assert texts(browser, "#last td.lean") == ["id 2", "id 1", "id 0"]
    assert texts(browser, "#headers td") == ["import Mathlib", "imported in 12.5 s", "1"]
    shown = dict(zip(texts(browser, "#live dt"), texts(browser, "#live dd"), strict=True))
    assert (shown["To do on the topic"], shown["Dead letters"]) == ("7", "7")
    live.answered(LastVerdict("b", "verified", "ok", "", 0), "anybody", "import Mathlib", Timings(run=1.0))
    wait(browser, "#headers", "warm")
    claim = page.gateway.queue.join("ann", asyncio.Event())
    page.gateway.queue.want(claim, [1] * 12)
    wait(browser, "#live", "12")


def test_a_lost_gateway_is_said(browser: Chrome) -> None:
    with served() as page:
        browser.get(page.url)
        wait(browser, "#connection", "Connected")
        page.stop()
        wait(browser, "#connection", "may be old")
        find(browser, "#proof").send_keys("x")
        find(browser, "#verify").click()
        wait(browser, "#announcement", "No answer from the gateway")
    complaints(browser)
    browser.get("about:blank")


@pytest.mark.usefixtures("page")
def test_positions_in_text(browser: Chrome) -> None:
    """`text.js` alone, against Python, whose strings are made of code points as Lean's are."""
    ask = """
        const done = arguments[arguments.length - 1];
        import("/page/text.js").then((text) => done(arguments[0].map(([proof, pos, end]) =>
            [text.markedLine(proof, pos, end), text.rangeOf(proof, pos, end)])));
    """
    alphabet = ["a", "é", "é", "𝔸", "😀", "👨‍👩‍👧", "\u2028", "\t", "ℕ"]
    proofs = ["\n".join("".join(alphabet[at:] * 2) for at in range(4)), "", "\n", "𝔸" * 400]
    questions = [
        (proof, {"line": line, "column": column}, {"line": line, "column": column + length} if length else None)
        for proof in proofs
        for line in (1, 2, 4)
        for column in (0, 1, 5, 13, 399)
        for length in (0, 1, 6)
    ]
    answers = browser.execute_async_script(ask, questions)
    for (proof, pos, end), (marked, span) in zip(questions, answers, strict=True):
        lines = proof.split("\n")
        if pos["line"] > len(lines):
            assert marked is span is None
            continue
        line = lines[pos["line"] - 1]
        start = min(pos["column"], len(line))
        stop = max(min(end["column"], len(line)) if end else start, min(start + 1, len(line)))
        assert marked["meant"] == line[start:stop]
        whole = marked["before"] + marked["meant"] + marked["after"]
        assert re.sub("^…|…$", "", whole) in line
        assert len(whole) <= 162
        units = proof.encode("utf-16-le")[2 * span[0] : 2 * span[1]].decode("utf-16-le")
        assert units == (line[start : min(end["column"], len(line))] if end else "")
