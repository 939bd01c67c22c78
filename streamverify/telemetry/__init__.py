"""What a process tells of itself to systems that watch it: spans, by OpenTelemetry."""
