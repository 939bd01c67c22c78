"""Decides what need not be run: attempts of which one success is enough, and cancelled requests."""
