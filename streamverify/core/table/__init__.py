"""The results table: which row of a custom_id counts, in which order rows are shown, what a page of them is."""
