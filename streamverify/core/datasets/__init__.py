"""Rows of a data set: which requests they become, and the rows that verdicts become. No files, no Kafka, no clock."""
