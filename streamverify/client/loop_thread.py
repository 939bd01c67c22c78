"""An event loop in a thread of its own, for callers that are no coroutines."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import CancelledError, wait
from typing import TYPE_CHECKING, TypeVar

from streamverify.core.errors import ClientMisused

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

T = TypeVar("T")

_END_TIMEOUT = 10.0
_LOOK = 1.0
"""Seconds after which a caller that waits looks whether the thread is still there."""


class LoopThread:
    """Runs coroutines for any number of threads until `end`. Its thread is a daemon: it keeps no process alive."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end, and return what it returns; it is cancelled if the caller is interrupted.

        Raises:
            ClientMisused: The caller is in this thread itself, or the loop ends meanwhile.
        """
        if threading.current_thread() is self._thread:
            coroutine.close()
            raise ClientMisused("a function that the client calls (such as `progress`) must not call the client")
        closed = ClientMisused("the client was closed while it was in use")
        try:
            future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        except RuntimeError:
            coroutine.close()
            raise closed from None
        try:
            # What comes between the loop's last turn and its end is never run.
            while self._thread.is_alive() and not wait([future], timeout=_LOOK).done:
                pass
            if not future.done():
                future.cancel()
            return future.result()
        except CancelledError:
            raise closed from None
        except BaseException:
            # Ctrl-C in the caller's thread: what it waited for is given up.
            future.cancel()
            raise

    def end(self) -> None:
        """Cancel what runs, close what is open, and end the thread. Nothing may be run afterwards."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            # Garbage collection may call this anywhere, also in the thread itself, which cannot wait for itself.
            if threading.current_thread() is not self._thread:
                self._thread.join(_END_TIMEOUT)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            # Its end cancels the tasks, and closes the generators that are left: also those that keep connections.
            runner.get_loop().run_forever()
