"""Makes reports of verdict rows, and comparisons of two runs. Pure: no files, no clock."""
