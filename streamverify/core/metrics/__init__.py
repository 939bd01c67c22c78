"""The metrics that processes have of themselves: their table, and the decisions behind those that are estimates."""
