"""A server on this machine that speaks as much of the Hugging Face hub's API as reading a data set takes.

Beyond this, nothing of the real hub can be tried without the network: its redirects to storage, Xet, and gated sets.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Hub(ThreadingHTTPServer):
    """The data sets in the folders OWNER/NAME of a folder; each has one commit, whose branch is `main`."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder = folder
        self.asked: list[str] = []
        """Methods and paths of the requests."""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def files(self, repo: str) -> dict[str, bytes]:
        folder = self.folder / repo
        return {
            file.relative_to(folder).as_posix(): file.read_bytes()
            for file in sorted(folder.rglob("*"))
            if file.is_file()
        }

    def commit(self, repo: str) -> str:
        return hashlib.sha1(repr(self.files(repo)).encode(), usedforsecurity=False).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    server: Hub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def _answer(self, *, with_body: bool) -> None:
        path = self.path.partition("?")[0]
        self.server.asked.append(f"{self.command} {path}")
        if info := re.fullmatch(r"/api/datasets/([^/]+/[^/]+)(?:/revision/(.+))?", path):
            self._info(info[1], info[2], with_body=with_body)
        elif file := re.fullmatch(r"/datasets/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            content = self.server.files(file[1]).get(file[3])
            headers = {"ETag": f'"{_digest(content or b"")}"', "X-Repo-Commit": self.server.commit(file[1])}
            self._send(404 if content is None else 200, content or b"", headers, with_body=with_body)
        else:
            self._send(404, b"", {}, with_body=with_body)

    def _info(self, repo: str, revision: str | None, *, with_body: bool) -> None:
        files = self.server.files(repo)
        if not files:
            self._send(404, b"", {"X-Error-Code": "RepoNotFound"}, with_body=with_body)
            return
        if revision not in {None, "main", self.server.commit(repo)}:
            self._send(404, b"", {"X-Error-Code": "RevisionNotFound"}, with_body=with_body)
            return
        card: dict[str, Any] = {}
        if front := re.match(rb"---\n(.*?)\n---", files.get("README.md", b""), re.DOTALL):
            card = yaml.safe_load(front[1])
        siblings = [{"rfilename": name, "size": len(data), "blobId": _digest(data)} for name, data in files.items()]
        answer = {"id": repo, "sha": self.server.commit(repo), "siblings": siblings, "cardData": card, "tags": []}
        self._send(200, json.dumps(answer).encode(), {"Content-Type": "application/json"}, with_body=with_body)

    def _send(self, status: int, content: bytes, headers: dict[str, str], *, with_body: bool) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if with_body:
            self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as it is called above
        """Say nothing."""


def _digest(content: bytes) -> str:
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()


@contextmanager
def running_hub(folder: Path) -> Iterator[Hub]:
    """Serve the data sets of a folder."""
    with Hub(folder) as hub:
        thread = threading.Thread(target=hub.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield hub
        finally:
            hub.shutdown()
            thread.join()
