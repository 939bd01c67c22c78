"""Is it really proved? The policy on what a file may say, and the questions to Lean about what it has proved."""
