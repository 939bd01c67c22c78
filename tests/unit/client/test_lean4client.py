"""The HTTP client of the `/verify` API, against a server that answers as each test says."""

from __future__ import annotations

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from streamverify import Lean4Client
from streamverify.core.errors import GatewayUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

Answer = tuple[int, dict[str, str], Any]
"""Status, headers, and the body: JSON, or text as it is."""


class Server(ThreadingHTTPServer):
    """Gives its answers one after the other, and keeps what it was sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[Answer] = []
        self.asked: list[tuple[str, dict[str, str], Any]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path, dict(self.headers), body))
        status, headers, answer = self.server.answers.pop(0)
        text = answer if isinstance(answer, str) else json.dumps(answer)
        self.send_response(status)
        length = len(text.encode()) + int(headers.get("X-Missing", 0))
        for name, value in {**headers, "Content-Length": str(length)}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(autouse=True)
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    pauses: list[float] = []
    monkeypatch.setattr("streamverify.client.lean4client.time.sleep", pauses.append)
    return pauses


OK: Answer = (200, {}, {"results": [{"custom_id": "1", "error": None, "response": {"messages": []}}]})


def test_a_batch_goes_as_readers_of_the_api_expect_it_and_comes_back_as_it_is(server: Server) -> None:
    server.answers = [OK]
    client = Lean4Client(server.url + "/", api_key="secret", disable_cache=True)
    found = client.verify([{"custom_id": "1", "proof": "x"}, {"custom_id": 2, "code": "y"}, "z"], 12, "original")
    assert found == OK[2]
    [(path, headers, body)] = server.asked
    assert (path, headers["Authorization"]) == ("/verify", "Bearer secret")
    assert body["codes"][:2] == [{"custom_id": "1", "proof": "x"}, {"custom_id": 2, "code": "y"}]
    assert body["codes"][2]["proof"] == "z"
    assert len(body["codes"][2]["custom_id"]) == 36
    assert (body["timeout"], body["infotree_type"], body["disable_cache"]) == (12, "original", True)


@pytest.mark.parametrize("one", ["x", {"custom_id": "1", "proof": "x"}])
def test_one_proof_is_a_batch(one: Any, server: Server) -> None:
    server.answers = [OK]
    Lean4Client(server.url).verify(one)
    assert [code["proof"] for code in server.asked[0][2]["codes"]] == ["x"]
    assert "Authorization" not in server.asked[0][1]


def test_a_gateway_that_is_busy_is_asked_again_when_it_says(server: Server, slept: list[float]) -> None:
    server.answers = [(429, {"Retry-After": "7"}, {"detail": "full"}), (503, {}, "no broker"), (502, {}, ""), OK]
    assert Lean4Client(server.url).verify(["x"]) == OK[2]
    assert slept == [7.0, 2.0, 4.0]
    ids = {each[2]["codes"][0]["custom_id"] for each in server.asked}
    assert len(ids) == 1


def test_a_gateway_that_stays_busy_is_told_as_what_it_says(server: Server) -> None:
    server.answers = [(503, {}, {"detail": "no broker answers"})] * 3
    with pytest.raises(GatewayUnavailable, match="answers 503: no broker answers"):
        Lean4Client(server.url, retries=2).verify(["x"])
    assert server.answers == []


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((401, {}, {"detail": "a key is needed"}), "answers 401: a key is needed"),
        ((422, {}, {"detail": [{"loc": ["codes"], "msg": "wrong"}]}), "answers 422: .*codes.*wrong"),
        ((404, {}, "<html>"), "answers 404: Not Found"),
        ((500, {}, {"error": "a bug"}), "answers 500: a bug"),
        ((200, {}, "<html>"), "no JSON: is it a gateway"),
        ((200, {}, {"hello": 1}), "without `results`"),
        ((200, {}, [1]), "without `results`"),
    ],
)
def test_what_is_no_answer_is_an_error_at_once(answer: Answer, words: str, server: Server, slept: list[float]) -> None:
    server.answers = [answer]
    with pytest.raises(GatewayUnavailable, match=words):
        Lean4Client(server.url).verify(["x"])
    assert slept == []


def test_an_answer_that_ends_in_the_middle_is_asked_for_again(server: Server, slept: list[float]) -> None:
    cut = json.dumps(OK[2])[:-20]
    server.answers = [(200, {"X-Missing": "20"}, cut), OK]
    assert Lean4Client(server.url).verify(["x"]) == OK[2]
    assert slept == [1.0]
    server.answers = [(200, {"X-Missing": "20"}, cut)]
    with pytest.raises(GatewayUnavailable, match="in the middle of its answer"):
        Lean4Client(server.url, retries=0).verify(["x"])


def test_where_nothing_listens_the_address_is_named(slept: list[float]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(GatewayUnavailable, match=f"no gateway answers at {url}/verify: .*refused"):
            Lean4Client(url, retries=1).verify(["x"])
    assert slept == [1.0]
