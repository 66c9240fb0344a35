"""Scenarios: stories in YAML about sockets, replayed on any backend with the same outcome.

    name: Refused
    shows: Nobody listens, so the connection is refused.     (one or two sentences)
    actors: [server, client]
    steps:
      - server: socket(AF_INET, SOCK_STREAM)                  (an actor and its call)
        as: deaf                                              (a name for the result)
      - server: deaf.bind(("127.0.0.1", 0))
      - client: create_connection(deaf.address)
        raises: ECONNREFUSED                                  (what it must give)

A step is an actor's call, in Python's notation: a method of a socket, or a function of the network
(`vocabulary` lists them). Text that is sent stands for its UTF-8 bytes; `hex("00 ff")` and
`"x" * 64 * KiB` are bytes too. `as: [conn, _]` names the parts of a result. It must give one of:

* nothing said: it returns, whatever it returns;
* `returns:` a value, a list of values, or one of `{is: EXPRESSION}`, `{bytes: COUNT}`,
  `{at least: N}`, `{at most: N}`, `{between: [N, M]}`, `{starts with: TEXT}`, `{contains: ...}`,
  `{not: ...}`, `{any: number}` (or text, bytes, address, socket, file, value);
* `raises:` an errno name, an EAI_ name or an exception class;
* `blocks: true`: it does not come back yet. The other actors go on, and a later step
  `client: completes` says with `returns:` or `raises:` how it ends.

Not here: faults, links and several hosts; a scenario is about the sockets of one host.
"""

from __future__ import annotations

from simnet.scenario.model import Scenario, Step
from simnet.scenario.parser import load
from simnet.scenario.places import Malformed, Mistake, Place
from simnet.scenario.runner import Failure, Report, run

__all__ = ["Failure", "Malformed", "Mistake", "Place", "Report", "Scenario", "Step", "load", "run"]
