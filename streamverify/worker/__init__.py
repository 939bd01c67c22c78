"""The worker: from the bytes of a request to a published result."""
