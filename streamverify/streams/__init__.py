"""Faust applications: the router."""
