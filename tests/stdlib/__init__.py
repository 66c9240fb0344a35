"""The interpreter's own tests, unmodified, on the simulator and on the real kernel.

`python -m tests.stdlib` runs modules of the installed `test` package twice, each in a process of
its own: as they are, and inside `world.patch()`. It compares the two for every single test. What
passes on the real kernel has to pass on the simulator, unless `failures.yaml` names it with its
reason; and what is named there has to fail.

- `modules`: which modules, and what they need
- `runner`: the process that runs one module
- `processes`: starts that process, watches it, and goes on after a test that hangs
- `results`: what the tests gave, and where the two runs differ
- `known`, `failures.yaml`: the differences that are known, with their reasons

Not compared: what tests print, how long they take, and tests that need the network beyond this
machine.
"""
