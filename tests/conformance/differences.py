"""Known differences between the simulator and the kernel: (case, backend) and the reason.

A case is named `module.function`. Each entry is a strict expected failure, so that one that starts
to pass is noticed too.
"""

from __future__ import annotations

DIFFERENCES: dict[tuple[str, str], str] = {}
