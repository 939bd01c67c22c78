"""What router and table share: Faust as we use it. Only they import this room, as Faust is an extra."""
