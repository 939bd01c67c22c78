"""What need not be run: attempts of which one success is enough, and what was cancelled."""
