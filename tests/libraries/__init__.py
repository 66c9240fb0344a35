"""Clients and servers that nobody here wrote, unmodified, over the simulated network."""
