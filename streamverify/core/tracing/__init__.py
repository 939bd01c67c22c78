"""Traces of requests: to which one a record belongs, and when each step of its proof was."""
