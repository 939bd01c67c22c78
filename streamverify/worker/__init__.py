"""The service: from a request's bytes to a published result; lifecycle and health."""
