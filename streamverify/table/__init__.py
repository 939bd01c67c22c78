"""The results table: the newest result of each custom_id, with Faust, and its pages."""
