"""Reports: reads files of verdicts, and writes `report.json` and the page `report.html`. Knows no Kafka and no Lean."""
