"""A Dask cluster of two worker processes on loopback, until standard input ends; a script.

It prints the scheduler's address. A worker that dies is started again, and a task with which a
second worker has died has failed.
"""

from __future__ import annotations

import sys

import dask
from distributed import LocalCluster

if __name__ == "__main__":
    dask.config.set({"distributed.scheduler.allowed-failures": 1})
    with LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, host="127.0.0.1"
    ) as cluster:
        print(cluster.scheduler_address, flush=True)
        sys.stdin.read()
