"""The messages on the topics: their models, their bytes, what is cut where they are too large."""
