r"""Scenarios: stories in YAML about sockets, replayed on any backend with the same outcome.

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

A step may add `takes:`, the seconds until it came back, as a number or within bounds such as
`{between: [1, 1.5]}`; a call that takes longer than 5 seconds must. Steps of nobody are events;
`wait: 2.5` lets that many seconds pass.

Several hosts stand in place of `actors:`. Each has an actor of its own name, unless it names its
`actors:` itself. Between them are links, ideal ones unless something is said:

    hosts:
      server: {ip: [10.0.0.1, fd00::1], actors: [accepter, worker]}
      client: {ip: 10.1.0.1/16, clock offset: 30}           (also clock drift; in seconds)
      old: {ip: 10.1.0.2/16, limits: {tcp_syn_retries: 2}}  (settings of its kernel)
    links:
      client <-> server: {latency: 0.05}                    (both ways; -> is one way)
      default: {bandwidth: 8 * MiB, queue: 20}              (all that have none of their own)
    names:
      www: {ip: [10.0.0.9, 10.0.0.1]}                       (in this order; hosts have their names)
      slow: {fails: EAI_AGAIN, delay: 5}                    (or addresses, after 5 seconds)
    seed: 7                                                 (of what is left to chance)
    unknown addresses: silence                              (or unreachable, network: who answers
                                                            for addresses that nobody has)

Links know `latency` and `jitter` in seconds, `bandwidth` in bits per second, `queue` in packets,
`loss`, `duplicate`, `reorder` and `corrupt` as probabilities, `mtu` in bytes. More events then:

    - partition: client -> server                           (nothing gets through)
    - heal: client -> server                                (a partition of before)
    - hold: client <-> server                               (what is under way stays there)
    - release: client <-> server                            (and arrives)
    - links: {client <-> server: {loss: 0.1}}               (as above, from now on; names: too)
    - drop: client -> server                                (the next packets of a kind are lost)
      packets: FIN                                          (SYN, SYN|ACK, ACK, data, RST, UDP, ...)
      count: 2                                              (1 if left out)
    - crash: server                                         (its sockets vanish without a word)
    - restart: server                                       (with nothing running)

All but `wait` may happen later, while the story goes on: `after: 2` seconds from now, or `at: 10`
seconds after the beginning.

A function of Python may act instead of actors; then steps are events alone, and most have a time:

    name: An update is lost
    shows: Two clients read the counter before either has written it.
    program: tests/counter.py:program                       (or package.module:program)
    with: {clients: 2, payload: {bytes: 'a\r'}}            (arguments; values.py says how)
    hosts: {server: {ip: 10.0.0.1}, client: {ip: 10.0.0.2}} (else the program makes its own)
    steps:
      - partition: client -> server
        at: 0.5
    seed: 7
    policy: uniform                                         (or fifo, or pct(3, 100): who runs next)
    nasty: [short_reads]                                    (families of nastiness)
    decisions: {scheduler: {12: 1}}                         (who decides, if not the seed: of each
                                                            stream, what is not the plainest)
    found: AssertionError at counter.py:31 in check         (how it failed when it was kept)

It is called with the world and the arguments, and must not raise.

What no real network can do to order (chance, times, chosen packets) is for simulators only, and a
story of more than 5 seconds too; `sim only:` gives another reason. Other backends skip it.

`load` makes a `Scenario` of a file, `write` gives the text of a file for a `Scenario`.
"""

from __future__ import annotations

from simnet.scenario.layout import Unwritable
from simnet.scenario.model import Scenario, Step
from simnet.scenario.parser import load
from simnet.scenario.places import Malformed, Mistake, Place
from simnet.scenario.results import Failure, Report
from simnet.scenario.runner import run
from simnet.scenario.writer import write

__all__ = [
    "Failure",
    "Malformed",
    "Mistake",
    "Place",
    "Report",
    "Scenario",
    "Step",
    "Unwritable",
    "load",
    "run",
    "write",
]
