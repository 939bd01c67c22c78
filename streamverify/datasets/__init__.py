"""Data sets in files: JSONL, JSON, CSV, Parquet and Lean, on this machine or on the Hugging Face hub. No Kafka."""
