"""The HTTP gateway: proofs come as the bodies of requests, go over Kafka, and their verdicts are the answers."""
