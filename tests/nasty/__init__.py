"""Worlds that are nasty within the law."""
