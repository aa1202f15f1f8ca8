"""Addresses, escaped names, and the grammar of names."""

from __future__ import annotations

import pytest

from hirte.wire import names
from hirte.wire.address import Address, parse, system_bus, user_bus
from hirte.wire.errors import AddressError
from hirte.wire.escape import escape

ESCAPED = {
    "": "_",
    "a": "a",
    "my-node.1": "my_2dnode_2e1",
    "a_b": "a_5fb",
    "1x": "_31x",
    "x1": "x1",
    "_": "_5f",
    "\u00e4": "_c3_a4",
    "a b/c": "a_20b_2fc",
    "0": "_30",
    "\n": "_0a",
}


@pytest.mark.parametrize("name, element", ESCAPED.items(), ids=ascii)
def test_names_in_object_paths(name, element):
    assert escape(name) == element


ADDRESSES = {
    "tcp:host=127.0.0.1,port=842": Address(host="127.0.0.1", port=842),
    "tcp:port=842,host=primary.example": Address(host="primary.example", port=842),
    "tcp:host=::1,port=65535": Address(host="::1", port=65535),
    "tcp:host=%3a%3A1,port=1,family=ipv6,guid=00": Address(host="::1", port=1),
    "unix:path=/run/hirte/hirte.sock": Address(path="/run/hirte/hirte.sock"),
    "unix:path=/run/a%20b%2cc": Address(path="/run/a b,c"),
    "unix:abstract=/tmp/x,guid=00": Address(path="\0/tmp/x"),
    "unix:path=/%c3%a4": Address(path="/\u00e4"),
}


@pytest.mark.parametrize("text, address", ADDRESSES.items(), ids=ADDRESSES)
def test_addresses(text, address):
    (found,) = parse(text)
    assert (found.host, found.port, found.path) == (address.host, address.port, address.path)
    assert parse(str(found)) == [found]
    assert {found: 1}[address] == 1


@pytest.mark.parametrize(
    "text",
    [
        "tcp:host=127.0.0.1,port=842",
        "tcp:host=::1,port=842",
        "unix:path=/run/hirte/hirte.sock",
        "unix:abstract=/tmp/x",
        "unix:path=/run/a%20b%2cc%3b",
    ],
)
def test_addresses_are_written_as_they_were_read(text):
    assert str(parse(text)[0]) == text


def test_alternatives_keep_their_order():
    found = parse("unix:path=/a;tcp:host=b,port=1;")
    assert [str(address) for address in found] == ["unix:path=/a", "tcp:host=b,port=1"]


def test_addresses_differ_from_each_other_and_from_texts():
    assert Address(path="/a") != Address(path="\0/a")
    assert Address(host="a", port=1) != "tcp:host=a,port=1"


@pytest.mark.parametrize(
    "text",
    [
        "", ";", "tcp", "unix", ":", ":path=/a", "unix:", "unix:path=", "unix:path", "unix:=/a",
        "unix:path=/a,", "unix:path=/a,path=/b", "unix:path=/a,abstract=b", "unix:tmpdir=/tmp",
        "unix:path=/%", "unix:path=/%2", "unix:path=/%2g", "unix:path=/% 2", "unix:path=/%+2",
        "unix:path=/%00", "unix:path=/%ff", "unix:path=/\udcff", "unix:path=/%\u0663\u0660",
        "tcp:host=a", "tcp:port=1", "tcp:host=,port=1", "tcp:host=a,port=", "tcp:host=a,port=0",
        "tcp:host=a,port=65536", "tcp:host=a,port=-1", "tcp:host=a,port= 1",
        "tcp:host=a,port=1_0", "tcp:host=a,port=\u0663", "tcp:host=a,port=" + "1" * 5000,
        "TCP:host=a,port=1", "nonce-tcp:host=a,port=1", "unixexec:path=/bin/sh", "launchd:env=X",
        "unix:path=/a;tcp", "127.0.0.1:842",
    ],
    ids=lambda text: ascii(text)[:40],
)  # fmt: skip
def test_not_an_address(text):
    with pytest.raises(AddressError):
        parse(text)



def test_the_addresses_of_the_buses():
    assert system_bus({}) == "unix:path=/var/run/dbus/system_bus_socket"
    assert system_bus({"DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/x"}) == "unix:path=/x"
    assert user_bus({"DBUS_SESSION_BUS_ADDRESS": "unix:path=/x"}, 7) == "unix:path=/x"
    assert user_bus({"XDG_RUNTIME_DIR": "/run/me"}, 7) == "unix:path=/run/me/bus"
    assert user_bus({"XDG_RUNTIME_DIR": "/a b,c"}, 7) == "unix:path=/a%20b%2cc/bus"
    assert user_bus({}, 7) == "unix:path=/run/user/7/bus"


GRAMMAR = {
    names.is_object_path: (
        ["/", "/a", "/a/b", "/_", "/0", "/" + "a" * 5000],
        ["", "a", "//", "/a/", "/a//b", "/-", "/a b", "/\u00e4", "/a\n"],
    ),
    names.is_member: (
        ["a", "_", "A9", "a" * 255],
        ["", "9", "a.b", "a-b", "a" * 256, "\u00e4", "a\n"],
    ),
    names.is_interface: (
        ["a.b", "_._", "a.b.c9", "a." + "b" * 253],
        ["", "a", ".", "a.", ".a", "a..b", "a.9", "a-b.c", "a." + "b" * 254, "a.b\n"],
    ),
    names.is_unique_name: (
        [":1.0", ":a.b-c", ":1.a9"],
        ["", ":", ":1", ":1.", ":.1", ":1..2", "a.b", ":1.\n", ":1." + "0" * 253],
    ),
    names.is_bus_name: (
        [":1.0", "a.b", "a-b._-", "a." + "b" * 253],
        ["", "a", ":1", "a.9", "9.a", "a..b", ".a", "a.b/", "a." + "b" * 254],
    ),
}  # fmt: skip


@pytest.mark.parametrize("judge", GRAMMAR, ids=lambda judge: judge.__name__)
def test_grammar(judge):
    good, bad = GRAMMAR[judge]
    assert [text for text in good if not judge(text.encode())] == []
    assert [text for text in bad if judge(text.encode())] == []
