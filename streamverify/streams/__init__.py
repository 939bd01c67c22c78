"""Faust, as router and table use it. Only they import this room, as Faust is an extra."""
