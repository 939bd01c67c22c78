"""A client of the HTTP endpoint `/verify`, in the form that users of that API know. Needs no Kafka."""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from streamverify.core.errors import GatewayUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterable

_TRY_AGAIN = frozenset({429, 502, 503, 504})
"""The gateway is busy or has no broker just now, or a proxy before it says so: nothing was decided about the proofs."""
_FIRST_PAUSE = 1.0
_MAX_PAUSE = 30.0
_MAX_WORDS = 300


class Lean4Client:
    """Sends batches of proofs to a gateway (`streamverify gateway`, or another server of the `/verify` API).

    Example:
        >>> client = Lean4Client("http://localhost:8000")
        >>> response = client.verify([{"custom_id": "1", "proof": "theorem t : 1 = 1 := rfl"}], timeout=60)
        >>> response["results"][0]["error"] is None
    """

    def __init__(
        self, base_url: str, api_key: str | None = None, *, disable_cache: bool = False, retries: int = 5
    ) -> None:
        """Connect nowhere yet.

        Args:
            base_url: The gateway's address: `http://localhost:8000`.
            api_key: Sent as `Authorization: Bearer`, where the gateway wants one.
            disable_cache: Ask for a fresh environment for each proof.
            retries: How often a batch is sent again that the gateway could not take, or while none answers.
        """
        self._url = base_url.rstrip("/") + "/verify"
        self._api_key = api_key
        self._disable_cache = disable_cache
        self._retries = retries

    def verify(
        self, codes: Iterable[Mapping[str, Any] | str], timeout: float = 60, infotree_type: str | None = None
    ) -> dict[str, Any]:
        """Have proofs verified; returns when all of them have an answer.

        Args:
            codes: Each a dictionary with `custom_id` and `proof` (or `code`), or the text of a Lean file, which gets an
                id. One of them alone will do.
            timeout: Seconds that Lean may take for each.
            infotree_type: The kind of infotree that each answer shall have.

        Returns:
            `{"results": [{"custom_id": …, "error": …, "response": {…}}, …]}`, in the order sent. `error` is null where
            Lean answered; then `response` has its messages.

        Raises:
            GatewayUnavailable: No gateway answers, or it refuses the request; the sentence says which.
        """
        batch = [codes] if isinstance(codes, str | Mapping) else codes
        body = {
            "codes": [
                {"custom_id": str(uuid.uuid4()), "proof": code} if isinstance(code, str) else dict(code)
                for code in batch
            ],
            "timeout": timeout,
            "infotree_type": infotree_type,
            "disable_cache": self._disable_cache,
        }
        pause = _FIRST_PAUSE
        for left in range(self._retries, -1, -1):
            try:
                return self._post(body)
            except _TryAgainError as busy:
                if not left:
                    raise GatewayUnavailable(str(busy)) from busy
                # A server that says when knows best; else each pause is twice as long, as all its clients come again.
                time.sleep(min(_MAX_PAUSE, busy.seconds if busy.seconds is not None else pause))
                pause *= 2
        raise AssertionError

    def _post(self, body: dict[str, Any]) -> dict[str, Any]:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self._api_key is not None:
            headers["Authorization"] = f"Bearer {self._api_key}"
        request = urllib.request.Request(self._url, json.dumps(body).encode(), headers, method="POST")  # noqa: S310 - the caller's
        try:
            # No time-out of ours: the gateway answers when Lean has, and each proof has its own time.
            with urllib.request.urlopen(request) as answer:  # noqa: S310 - as above
                found = json.load(answer)
        except urllib.error.HTTPError as error:
            sentence = f"{self._url} answers {error.code}: {_words(error)}"
            if error.code in _TRY_AGAIN:
                raise _TryAgainError(sentence, error.headers.get("Retry-After")) from error
            raise GatewayUnavailable(sentence) from error
        except http.client.HTTPException as error:
            # The gateway ended in the middle of its answer. What it was asked may be asked again.
            raise _TryAgainError(f"{self._url} ended in the middle of its answer: {error!r}") from error
        except OSError as error:
            reason = getattr(error, "reason", None) or error
            raise _TryAgainError(f"no gateway answers at {self._url}: {reason}") from error
        except ValueError as error:
            raise GatewayUnavailable(f"{self._url} answers what is no JSON: is it a gateway?") from error
        if not isinstance(found, dict) or not isinstance(found.get("results"), list):
            raise GatewayUnavailable(f"{self._url} answers without `results`: is it a gateway?")
        return found


class _TryAgainError(Exception):
    """The batch was not taken now. `seconds` says after which time to send it again, None where nobody said."""

    def __init__(self, sentence: str, retry_after: str | None = None) -> None:
        super().__init__(sentence)
        # It may be a date, too, which no server of this API sends.
        self.seconds = float(retry_after) if retry_after is not None and retry_after.isdecimal() else None


def _words(error: urllib.error.HTTPError) -> str:
    """Take what the server says in the body of a refusal, else what HTTP says."""
    text = error.read(64 * 1024).decode("utf-8", "replace")
    try:
        said = json.loads(text)
    except ValueError:
        return str(error.reason)
    detail = said.get("detail", said.get("error", said)) if isinstance(said, dict) else said
    return (detail if isinstance(detail, str) else json.dumps(detail, ensure_ascii=False))[:_MAX_WORDS]
