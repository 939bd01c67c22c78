"""Bounds the requests that a gateway holds at once, and their bytes. Pure.

Who is refused is told to come again: `kimina-client` takes three refusals in three seconds for a failure of the whole
batch. So requests are held, and only beyond these bounds refused.
"""

from __future__ import annotations


class Admission:
    """Counts what is held.

    enter() --- no room ---> refused, and not counted
       +--> held --> grow(): as its body comes, if there is room --> leave()
    """

    def __init__(self, *, requests: int, total_bytes: int) -> None:
        self._most_requests = requests
        self._most_bytes = total_bytes
        self.requests = 0
        self.bytes = 0

    def enter(self, size: int) -> bool:
        """Take in a request whose body has so many bytes, as far as is known. False: there is no room for it."""
        # One request is always held, however large: the limit of a single body is another one.
        if self.requests and (self.requests >= self._most_requests or self.bytes + size > self._most_bytes):
            return False
        self.requests += 1
        self.bytes += size
        return True

    def grow(self, size: int) -> bool:
        """Count more bytes of a request that was taken in. False: there is no room, and they are not counted."""
        if self.requests > 1 and self.bytes + size > self._most_bytes:
            return False
        self.bytes += size
        return True

    def leave(self, size: int) -> None:
        """Forget a request, with all its bytes that were counted."""
        self.requests -= 1
        self.bytes -= size
