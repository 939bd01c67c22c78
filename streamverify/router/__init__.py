"""The router: forwards proofs from the ingest topic to the request topic, with Faust."""
