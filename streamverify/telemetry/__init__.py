"""Metrics and spans of a process, by the libraries of Prometheus and OpenTelemetry. It knows no room but core."""
