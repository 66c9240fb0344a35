"""Exploring: many runs of one program, each with other decisions."""
