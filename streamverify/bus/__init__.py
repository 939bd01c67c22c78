"""Kafka: consumer, producer, commits, dead letters, topics, the embedded broker. Knows nothing of Lean."""
