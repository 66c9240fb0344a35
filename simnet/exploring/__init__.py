"""Exploring: many runs of one program, each with other decisions, and what became of them.

runs.py makes a run and replays it, exhaustive.py goes through all schedules of a small program, and
report.py says in which ways runs fail, and where a passing and a failing one part.
"""
