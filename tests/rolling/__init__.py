"""A rolling upgrade under load and the way back, on a real Kafka, with two versions of the program."""
