"""streamverify: a Kafka stream processor that verifies Lean 4 proofs at scale."""

__version__ = "0.1.0"
