"""Delivery: which records may run, what may be committed, what becomes of records whose worker died."""
