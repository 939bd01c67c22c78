"""Looks at a group of workers from outside: what the broker says of it, and what each worker says of itself."""
