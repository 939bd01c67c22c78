"""One REPL process: how it is found, confined, started, asked, watched and ended."""
