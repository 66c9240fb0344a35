"""How fast the simulator is, against the kernel of the same machine, in one run.

    python -m tests.benchmarks [--rounds N] [--quick] [--markdown] [--pin]

Nothing here is a timed test: the table is for people, the floors in it are the project's aims.
"""
