"""Lean's syntax, as far as a file's tokens tell: tokens, names, imports."""
