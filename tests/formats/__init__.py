"""What this program keeps or sends, as each version of it wrote it. docs/upgrades.md says what is promised of it."""
