"""Benchmarks: run as modules from the project's root, `python -m benchmarks.pool overhead`."""
