"""A queueing simulator that runs the production scheduler and partitioner beside what they replace."""
