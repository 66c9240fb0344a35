"""The same seed gives the same run: in every process, on every Python, and on no real network."""
