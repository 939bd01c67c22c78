"""The decisions about lines of the log: the fields that name a record, and which lines are written."""
