"""The pure part: messages, headers, offsets, decisions. No I/O, no clock, no Kafka."""
