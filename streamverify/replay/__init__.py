"""Replays a data set over Kafka and keeps the verdicts: none is lost and none there twice, whatever ends it."""
