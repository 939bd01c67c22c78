"""The page at `/`: its files, its endpoints, and what keeps other sites from using a visitor's browser."""
