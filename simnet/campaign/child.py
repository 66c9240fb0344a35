"""A worker's process: it does what it is told through a pipe, until nobody is left to tell it.

It ends with the process that started it, also where that is killed, and in the middle of a run: a
thread waits for the other end of the pipe to close. (It stands in the real `poll`, which a patched
program does not reach.) A worker of a process pool would not: it holds that end itself.
"""

from __future__ import annotations

import os
import select
import signal
import threading
import traceback
from multiprocessing.connection import Connection

# Nobody leaves a child without work for so many seconds, unless the campaign is over.
_PATIENCE = 60.0


def main() -> None:
    """Take calls from standard input, and give answers on standard output."""
    # Ctrl-C is for the campaign, which lets what runs end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    calls = Connection(os.dup(0), writable=False)
    answers = Connection(os.dup(1), readable=False)
    # The program reads and writes elsewhere.
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 1)
    threading.Thread(target=_end_with, args=(calls.fileno(),), daemon=True).start()
    answers.send("ready")
    while calls.poll(_PATIENCE):
        function, *arguments = calls.recv()
        try:
            answer = True, function(*arguments)
        except Exception as error:
            answer = False, error
        try:
            answers.send(answer)
        except Exception:
            # An error that cannot be sent can be told.
            answers.send((False, RuntimeError(traceback.format_exc())))


def _end_with(descriptor: int) -> None:
    poller = select.poll()
    poller.register(descriptor, 0)
    poller.poll()
    os._exit(0)
