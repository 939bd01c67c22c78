"""Which partition a proof goes to, which slot runs it, when a process is worn."""
