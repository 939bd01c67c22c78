"""Decides to which partition a proof goes, in which slot it runs, and when a process is replaced."""
