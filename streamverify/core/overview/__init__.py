"""Decides what `top`, `workers` and `status` say of a group of workers. Pure: it asks nobody, and puts together."""
