"""`python -m simnet` is the command `simnet`."""

from __future__ import annotations

from simnet.cli import main

if __name__ == "__main__":
    main(prog_name="simnet")
