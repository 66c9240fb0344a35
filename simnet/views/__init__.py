"""Views of what happened in a world: captures, diagrams, a list of sockets, a comparison of runs.

Nothing here changes a world. Captures and diagrams need one that records (`World(record=True)`).
"""
