"""The decisions of the gateway: who may call, what is held, whose turn it is, and what its page shows."""
