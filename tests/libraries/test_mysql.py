"""PyMySQL with a scripted server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pymysql
import pymysql.cursors
import pytest

from tests.libraries.mysql_server import Refused, Rows, Script, Server, Session
from tests.libraries.ways import Place, Simulated

SELECT = "SELECT name, town FROM people"
GREETINGS: Script = {"SET NAMES utf8mb4": 0, "SET AUTOCOMMIT = 0": 0, "COMMIT": 0, "ROLLBACK": 0}


def slowly(session: Session) -> int:
    """An hour of thinking."""
    time.sleep(3600)
    return 0


SCRIPT: Script = {
    **GREETINGS,
    SELECT: Rows(["name", "town"], [("Ann", "Århus"), ("Ben", None)]),
    "SELECT long FROM table": Rows(["long"], [("x" * 70_000,)] * 20),
    "INSERT INTO people VALUES ('Cid', 'O\\'Hara')": 1,
    "INSERT INTO people VALUES ('Ann')": Refused(1062, "23000", "Duplicate entry"),
    "SELECT SLEEP(3600)": slowly,
    "SELECT half": Session.break_off,
}


@contextmanager
def serving(place: Place) -> Iterator[Server]:
    """A server that follows the script."""
    with place.server:
        server = Server((place.bind, 0), SCRIPT)
    with place.serving(server):
        yield server


def connect(place: Place, server: Server, **options: Any) -> Any:
    """A connection."""
    return pymysql.connect(
        host=place.address,
        port=server.server_address[1],
        user="ann",
        **{"password": "secret", **options},
    )


def test_rows_and_errors(place: Place) -> None:
    """Texts, NULL, arguments that are escaped, an error of the server, a transaction."""
    with serving(place) as server:
        with connect(place, server) as conn, conn.cursor() as cursor:
            assert cursor.execute(SELECT) == 2
            assert cursor.fetchall() == (("Ann", "Århus"), ("Ben", None))
            assert cursor.execute("INSERT INTO people VALUES (%s, %s)", ("Cid", "O'Hara")) == 1
            with pytest.raises(pymysql.err.IntegrityError, match="Duplicate entry"):
                cursor.execute("INSERT INTO people VALUES (%s)", ("Ann",))
            with pytest.raises(pymysql.err.ProgrammingError, match="unknown: SELECT nothing"):
                cursor.execute("SELECT nothing")
            conn.commit()
            conn.ping()
        assert server.seen[-1] == "COMMIT"


def test_rows_come_one_by_one(place: Place) -> None:
    """More than fits into the buffers on the way, as dictionaries."""
    with serving(place) as server, connect(place, server) as conn:
        with conn.cursor(pymysql.cursors.SSDictCursor) as cursor:
            cursor.execute("SELECT long FROM table")
            assert [row["long"] for row in cursor.fetchall_unbuffered()] == ["x" * 70_000] * 20


def test_a_wrong_password(place: Place) -> None:
    """It is refused by the server."""
    with serving(place) as server:
        with pytest.raises(pymysql.err.OperationalError, match="Access denied"):
            connect(place, server, password="wrong")


def test_a_reset_in_the_middle_of_an_answer(place: Place) -> None:
    """The connection is lost; a new one is as good as ever."""
    with serving(place) as server:
        with closing(connect(place, server)) as conn, conn.cursor() as cursor:
            with pytest.raises(pymysql.err.OperationalError, match="Lost connection"):
                cursor.execute("SELECT half")
            assert not conn.open
        with connect(place, server) as conn:
            conn.ping()


def test_each_statement_takes_a_round_trip(simulated: Simulated) -> None:
    """After those to connect, for the greeting, the password, the character set, the mode."""
    simulated.slow(latency=0.25)
    with serving(simulated) as server, connect(simulated, server) as conn:
        assert time.monotonic() == 2.5
        with conn.cursor() as cursor:
            for _ in range(3):
                cursor.execute(SELECT)
        assert time.monotonic() == 4.0


def test_timeouts(simulated: Simulated) -> None:
    """Of connecting, and of an answer; without one an hour is waited for."""
    simulated.slow(latency=0.25)
    with serving(simulated) as server:
        with connect(simulated, server) as conn, conn.cursor() as cursor:
            begun = time.monotonic()
            cursor.execute("SELECT SLEEP(3600)")
            assert time.monotonic() == begun + 3600.5
        with closing(connect(simulated, server, read_timeout=40)) as conn:
            begun = time.monotonic()
            with pytest.raises(pymysql.err.OperationalError, match="timed out"):
                conn.cursor().execute("SELECT SLEEP(3600)")
            assert time.monotonic() == begun + 40
        with simulated.world.partition("server"):
            begun = time.monotonic()
            with pytest.raises(pymysql.err.OperationalError, match="timed out"):
                connect(simulated, server, connect_timeout=15)
            assert time.monotonic() == begun + 15
