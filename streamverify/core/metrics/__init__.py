"""What the processes measure of themselves: the table of metrics, and the decisions behind those that are reckoned."""
