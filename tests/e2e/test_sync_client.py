"""The synchronous client against a broker and a worker: in scripts, threads, forks and running event loops."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from command import make_environment, serving_worker, settings_of

from streamverify import AsyncClient, Client, ProofRequest, Results
from streamverify.core.errors import ClientMisused, InvalidRequest
from streamverify.core.messages.models import Reason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streamverify.client.requests import Proof
    from streamverify.settings import Settings

PROOF = "theorem t : 1 = 1 := rfl"
WRONG = f"{PROOF} -- synthetic: error"
SLOW = f"{PROOF} -- synthetic: service=14"
GONE = f"import Gone\n{PROOF}"


@pytest.fixture(scope="module")
def env(broker: str, request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """Topics that a worker serves; it cannot import `Gone`."""
    env = make_environment(broker, real=request.config.getoption("--kafka"))
    env["STREAMVERIFY_REPL"] = "synthetic --import Gone=0:fail"
    with serving_worker(env):
        yield env


@pytest.fixture(scope="module")
def served(env: dict[str, str]) -> Settings:
    return settings_of(env)


@pytest.fixture
def client(served: Settings) -> Iterator[Client]:
    with Client(served) as client:
        yield client


# Without the remarks of asyncio's debug mode on what took long, on a busy machine.
QUIET = "import logging; logging.getLogger('asyncio').addFilter(lambda r: 'Executing' not in str(r.msg))\n"


def script(env: dict[str, str], text: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run a program as a user would; warnings are shown, and the debug mode of asyncio is on."""
    argv = [sys.executable, "-X", "dev", *options, "-c", text]
    return subprocess.run(argv, env=env, capture_output=True, text=True, timeout=300, check=False)


def test_whatever_is_a_proof_is_verified_in_the_order_sent(client: Client) -> None:
    proofs: list[Proof] = [
        {"custom_id": "a", "proof": PROOF},
        WRONG,
        ProofRequest(custom_id="c", proof=PROOF),
        {"custom_id": 4, "code": PROOF},
    ]
    results = client.verify(proofs, timeout=300)
    assert isinstance(results, Results)
    assert [result.reason for result in results] == [Reason.OK, Reason.LEAN_ERROR, Reason.OK, Reason.OK]
    assert [results[index].custom_id for index in (0, 2, 3)] == ["a", "c", "4"]
    # A string gets an id that nobody else has.
    assert results[1].custom_id not in {result.custom_id for result in client.verify([WRONG, WRONG], timeout=300)}
    assert [result.custom_id for result in client.verify({"custom_id": "one", "proof": PROOF}, timeout=300)] == ["one"]


@pytest.mark.any_broker
def test_a_wrong_one_is_named_and_nothing_is_sent(client: Client) -> None:
    with pytest.raises(InvalidRequest, match="proof 1: `custom_id` is missing"):
        client.verify([PROOF, {"proof": PROOF}])
    with pytest.raises(TypeError, match="not int"):
        client.verify([PROOF, 5])  # type: ignore[list-item]
    with pytest.raises(InvalidRequest, match="proof 2: `timeout` must be"):
        list(client.verify_each([PROOF, PROOF, {"custom_id": "x", "proof": PROOF, "timeout": "long"}]))


def test_time_is_up_returns_what_is_there_and_names_the_rest(client: Client) -> None:
    results = client.verify([{"custom_id": "slow", "proof": SLOW}, PROOF], timeout=10)
    assert ([result.reason for result in results], results.missing) == ([Reason.OK], ("slow",))
    assert "no answer within 10 s: slow" in str(results)


def test_what_is_retriable_is_sent_again_and_all_its_results_are_on_the_topic(client: Client) -> None:
    [result] = client.verify([{"custom_id": "gone", "proof": GONE}], timeout=300)
    assert (result.reason, result.retriable) == (Reason.IMPORT_FAILED, True)
    client.verify([{"custom_id": "gone once", "proof": GONE}], timeout=300, retries=0)
    found = Counter(result.custom_id for result in client.results())
    assert (found["gone"], found["gone once"]) == (3, 1)


def test_submit_and_results_apart(client: Client) -> None:
    ticket = client.submit(PROOF)
    tickets = list(client.submit_all({"custom_id": f"apart {n}", "proof": PROOF} for n in range(20)))
    assert [each.custom_id for each in tickets] == [f"apart {n}" for n in range(20)]
    waiting = {ticket.custom_id, *(each.custom_id for each in tickets)}
    for result in client.results(follow=True):
        waiting.discard(result.custom_id)
        if not waiting:
            break
    # The loop was left early: the client goes on.
    assert len(client.verify([PROOF], timeout=300)) == 1


def test_each_answer_comes_as_soon_as_it_is_there(client: Client) -> None:
    proofs = [f"{PROOF} -- synthetic: service=8", PROOF]
    assert [answer.index for answer in client.verify_each(proofs, timeout=300)] == [1, 0]


def test_a_generator_is_taken_as_far_as_there_is_room(served: Settings) -> None:
    """Thousands in flight, and more than that in all, in bounded memory: for real."""
    taken = 0

    def proofs() -> Iterator[dict[str, str]]:
        nonlocal taken
        for number in range(6_000):
            taken += 1
            yield {"custom_id": str(number % 10), "proof": PROOF}

    with Client(served, max_in_flight=2_000) as client:
        answered = Counter[int]()
        for answer in client.verify_each(proofs(), timeout=300):
            answered[answer.index] += 1
            # So many on their way, as many that were answered at once, and the next one.
            assert taken <= answered.total() + 2 * 2_000 + 1
    assert answered == Counter(range(6_000))


def test_many_threads_share_a_client_and_several_clients_share_topics(served: Settings) -> None:
    """Everybody sends the ids 0 to 4, and some of them twice; each gets the verdicts on its own proofs."""

    def one(client: Client, number: int) -> list[Reason]:
        proofs = [WRONG if (number + each) % 2 else PROOF for each in range(10)]
        results = client.verify(({"custom_id": str(n % 5), "proof": p} for n, p in enumerate(proofs)), timeout=300)
        return [Reason(result.reason) for result in results]

    with Client(served) as first, Client(served) as second, ThreadPoolExecutor(12) as pool:
        found = list(pool.map(one, [first, second] * 12, range(24)))
    for number, reasons in enumerate(found):
        assert reasons == [Reason.LEAN_ERROR if (number + each) % 2 else Reason.OK for each in range(10)]


async def test_inside_a_running_event_loop(client: Client, served: Settings) -> None:
    assert len(client.verify([PROOF] * 3, timeout=300)) == 3
    asynchronous = AsyncClient(served)
    both = await asyncio.gather(
        asynchronous.verify([PROOF, WRONG], timeout=300), asyncio.to_thread(client.verify, [WRONG], 300)
    )
    assert [[result.reason for result in results] for results in both] == [
        [Reason.OK, Reason.LEAN_ERROR],
        [Reason.LEAN_ERROR],
    ]
    await asynchronous.close()


def test_an_async_client_belongs_to_one_loop_at_a_time(served: Settings) -> None:
    client = AsyncClient(served)

    async def verified() -> int:
        return len(await client.verify([PROOF], timeout=300))

    async def in_another_loop() -> None:
        assert await verified() == 1
        with pytest.raises(ClientMisused, match="another event loop"):
            await asyncio.to_thread(asyncio.run, verified())

    assert asyncio.run(verified()) == 1
    asyncio.run(in_another_loop())


@pytest.mark.any_broker
def test_progress_is_told(client: Client) -> None:
    told: list[tuple[int, int | None]] = []
    client.verify([PROOF] * 5, timeout=300, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (5, 5)
    assert told == sorted(told)
    with pytest.raises(ClientMisused, match="must not call the client"):
        client.verify([PROOF], timeout=300, progress=lambda _done, _total: client.submit(PROOF))


def test_a_closed_client_connects_again(served: Settings) -> None:
    client = Client(served)
    client.close()
    for _ in range(2):
        assert len(client.verify([PROOF], timeout=300)) == 1
        client.close()
        client.close()


FORKED = """
import json, multiprocessing
from streamverify import Client, ProofRequest

PROOF = "theorem t : 1 = 1 := rfl"
parent = Client()

def work(numbers):
    try:
        parent.verify([PROOF], timeout=5)
        said = "none"
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
    client = Client()
    return said, [result.custom_id for result in client.verify([{"custom_id": n, "proof": PROOF} for n in numbers])]

if __name__ == "__main__":
    assert len(parent.verify([PROOF] * 3, timeout=300)) == 3
    with multiprocessing.get_context("fork").Pool(3) as pool:
        found = pool.map(work, [[1, 2], [3, 4], [5, 6]], chunksize=1)
    found.append(len(parent.verify([PROOF], timeout=300)))
    print(json.dumps(found))
"""


def test_workers_that_were_forked_make_their_own_client(env: dict[str, str]) -> None:
    ran = script(env, FORKED)
    assert ran.returncode == 0, ran.stderr
    *workers, after = json.loads(ran.stdout)
    assert sorted(ids for _, ids in workers) == [["1", "2"], ["3", "4"], ["5", "6"]]
    assert all(said.startswith("ClientMisused: this client was made in the process ") for said, _ in workers)
    assert after == 1
    assert "Unclosed" not in ran.stderr


UNCLOSED = {
    "sync": "from streamverify import Client; print(len(Client().verify(['theorem t : True := trivial'])))",
    "sync, kept": """
from streamverify import Client
client = Client()
print(len(client.verify(["theorem t : True := trivial"])))
""",
    "sync, interrupted": """
from streamverify import Client
client = Client()
for answer in client.verify_each(["theorem t : True := trivial", "theorem t : True := trivial -- synthetic: hang"]):
    print(1)
    break
raise SystemExit
""",
    "async": """
import asyncio
from streamverify import AsyncClient
async def main():
    print(len(await AsyncClient().verify(["theorem t : True := trivial"])))
asyncio.run(main())
""",
    "async, kept": """
import asyncio
from streamverify import AsyncClient
client = AsyncClient()
async def main():
    print(len(await client.verify(["theorem t : True := trivial"])))
asyncio.run(main())
""",
}


@pytest.mark.any_broker
@pytest.mark.parametrize("way", UNCLOSED)
def test_nobody_has_to_close_a_client(way: str, env: dict[str, str]) -> None:
    """Not a word on stderr: neither of aiokafka's, nor of asyncio's, nor a ResourceWarning."""
    ran = script(env, QUIET + UNCLOSED[way], "-W", "ignore::DeprecationWarning")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "1\n", "")


@pytest.mark.any_broker
def test_without_a_broker_the_error_says_so_and_no_library_floods_the_terminal(env: dict[str, str]) -> None:
    text = "from streamverify import Client; Client('127.0.0.1:1').verify(['x'])"
    ran = script(env, QUIET + text)
    assert ran.returncode == 1
    before, _, traceback = ran.stderr.partition("Traceback")
    assert len(before.splitlines()) <= 1, before
    assert "BrokerUnavailable: no Kafka broker answers at 127.0.0.1:1" in traceback
    assert ran.stdout == ""


@pytest.mark.any_broker
def test_a_fork_is_refused_before_anything_else(served: Settings) -> None:
    client = Client(served)
    client._client._pid = os.getpid() + 1
    for use in (lambda: client.verify([PROOF]), lambda: client.submit(PROOF), lambda: next(client.results())):
        with pytest.raises(ClientMisused, match="make a client after the fork"):
            use()
    client.close()
