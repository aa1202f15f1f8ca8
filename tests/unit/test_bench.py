"""The benchmark's own arithmetic: samples to rows, rows to the table; the client's counting."""

from __future__ import annotations

import socket
import sys
import threading

import pytest

from bench.client import CallFailed, Client, Target
from bench.result import absolute, difference, p99, ratio, table
from hirte.wire import build
from hirte.wire.encode import encode
from hirte.wire.message import FIXED_BYTES, measure

TARGET = Target("/o", "i.f")
UNIT = b"bench-a.service"


def test_p99_leaves_one_of_a_hundred_out():
    assert p99([float(number) for number in range(1, 101)]) == 99.0
    assert p99([float(number) for number in range(1, 401)]) == 396.0


def test_p99_of_few_samples_is_the_largest():
    assert p99([3.0, 1.0, 2.0]) == 3.0


def test_a_difference_is_that_of_the_medians_in_milliseconds():
    row = difference("StartUnit", [0.001, 0.002, 0.003], [0.0025, 0.0025, 0.9], 1.0)
    assert row.against == "+0.50 ms"
    assert row.ours == "2.50 (900.00) ms"
    assert (row.verdict, row.count) == ("ok", 3)


def test_a_difference_beyond_the_bar_is_missed():
    assert difference("StartUnit", [0.001], [0.0021], 1.0).verdict == "MISSED"


def test_without_a_bar_there_is_no_verdict():
    row = difference("extra", [0.001], [0.0021], None)
    assert (row.bar, row.verdict) == ("", "")


def test_a_ratio_is_that_of_the_medians():
    row = ratio("memory", [2.0], [3.7], 1.8, "MB")
    assert (row.floor, row.ours, row.against, row.verdict) == (
        "2.00 MB",
        "3.70 MB",
        "1.85 x",
        "MISSED",
    )


def test_what_has_no_floor_is_compared_with_the_bar():
    assert absolute("CPU", [190.0, 200.0, 900.0], 200, "us").verdict == "ok"
    assert absolute("CPU", [201.0], 200, "us").verdict == "MISSED"


def test_what_has_a_bar_of_its_own_may_have_a_floor_to_look_at():
    row = absolute("CPU", [20.0], 15, "ms", [16.0])
    assert (row.floor, row.against, row.verdict) == ("16.0 ms", "+4.0 ms", "MISSED")


def test_the_table_has_columns_of_equal_width():
    lines = table([difference("a long name", [0.001], [0.002], 1.0), absolute("b", [1], 1, "s")])
    head, first, second = lines.splitlines()
    assert head.index("bar") + len("bar") == first.rindex("ms") + len("ms")
    assert second.startswith("b          ")


class Peer:
    """The other end of a client: answers every call with the messages that `script` makes."""

    def __init__(self, script):
        self.stream, self._theirs = socket.socketpair()
        self.calls = 0
        self._script = script
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def join(self):
        self._thread.join(10)

    def _run(self):
        with self._theirs as stream:
            data = b""
            while b"BEGIN\r\n" not in data:
                data += stream.recv(4096)
            data = data.partition(b"BEGIN\r\n")[2]
            stream.sendall(b"DATA\r\nOK 00\r\n")
            fresh = b"first"
            while fresh:
                while len(data) >= FIXED_BYTES and len(data) >= measure(data, 0, 4096):
                    serial = int.from_bytes(data[8:12], sys.byteorder)
                    data = data[measure(data, 0, 4096) :]
                    self.calls += 1
                    stream.sendall(b"".join(self._script(serial)))
                fresh = stream.recv(4096)
                data += fresh


@pytest.fixture
def talk():
    """Makes a client and its peer from the peer's script."""
    pairs = []

    def begin(script):
        peer = Peer(script)
        pairs.append((Client(peer.stream), peer))
        return pairs[-1]

    yield begin
    for client, peer in pairs:
        client.close()
        peer.join()


def removed(unit=UNIT, result="done"):
    body = encode("uoss", (1, "/j", unit.decode(), result))
    return build.signal(7, "/o", "i.f", "JobRemoved", "uoss", body)


def answer(serial):
    return build.method_return(1, serial)


def test_the_client_waits_for_the_answer_to_its_own_call(talk):
    client, _ = talk(
        lambda serial: [
            removed(),
            build.method_return(1, serial + 1, "s", encode("s", ("another's",))),
            build.method_return(2, serial, "s", encode("s", ("mine",))),
        ]
    )
    assert client.ask(client.prepare(TARGET, "M")).endswith(b"mine\0")


def test_the_client_waits_for_all_answers_and_all_jobs(talk):
    client, peer = talk(lambda serial: [removed(b"b"), removed(), answer(serial)])
    calls = [client.prepare(TARGET, "StartUnit") for _ in range(250)]
    assert client.time_jobs(calls, UNIT) > 0
    assert peer.calls == 250


def test_a_job_that_fails_is_no_figure(talk):
    client, _ = talk(lambda serial: [answer(serial), removed(result="failed")])
    with pytest.raises(CallFailed, match="did not end as done"):
        client.time_jobs([client.prepare(TARGET, "StartUnit")], UNIT)


def test_a_call_that_fails_is_no_figure(talk):
    client, _ = talk(
        lambda serial: [build.error(1, serial, "e.Failed", "s", encode("s", ("why",)))]
    )
    with pytest.raises(CallFailed, match=r"e\.Failed: why"):
        client.ask(client.prepare(TARGET, "M"))
