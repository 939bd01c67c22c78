"""Decides what a completion of a model is worth: finds its proof, and makes a reward of the verdict on it."""
