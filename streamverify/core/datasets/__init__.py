"""From the rows of a data set to the requests that verify it, and from their results to rows. Does no I/O."""
