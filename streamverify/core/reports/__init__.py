"""What a report says of verdict rows, and what a comparison says of two runs. Pure: no files, no clock."""
