"""The private bus: it runs, carries calls and signals, and is gone afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .apart import apart
from .privatebus import BUS, BUS_PATH, BusClient, private_bus


@pytest.fixture
def client(tmp_path: Path) -> Iterator[BusClient]:
    with private_bus(tmp_path) as address, apart(lambda: BusClient(address)) as client:
        client.listen(BUS, BUS_PATH)
        yield client
    assert not (tmp_path / "bus").exists()


def test_a_bus_of_our_own(client: BusClient) -> None:
    assert client.result(BUS, BUS_PATH, BUS, "ListNames")[0] == BUS
    assert client.result(BUS, BUS_PATH, BUS, "RequestName", "su", "a.b", 0) == 1
    assert client.expect("NameOwnerChanged").body[0] == "a.b"
    with pytest.raises(AssertionError, match="NameHasNoOwner"):
        client.result(BUS, BUS_PATH, BUS, "GetNameOwner", "s", "c.d")


def test_signals_and_answers_keep_their_order(client: BusClient) -> None:
    before = len(client.arrived(BUS))
    request = client.ask(BUS, BUS_PATH, BUS, "RequestName", "su", "a.b", 0)
    release = client.ask(BUS, BUS_PATH, BUS, "ReleaseName", "s", "a.b")
    told = client.arrived(BUS)[before:]
    answers = [message.reply_serial for message in told if message.kind == "return"]
    assert answers == [request, release]
    assert [message.body[0] for message in told if message.kind == "signal"] == ["a.b", "a.b"]
    assert told[-1].kind == "return"
