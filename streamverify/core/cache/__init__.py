"""Decisions of the result cache: what may be kept, under which key, in which form, and who waits for whom."""
