"""Our messages read by others, and theirs by us: headers, bodies, both byte orders."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hirte.wire import build
from hirte.wire.check import check
from hirte.wire.encode import NATIVE, encode
from hirte.wire.framing import Framer
from hirte.wire.message import ERROR, METHOD_CALL, METHOD_RETURN, SIGNAL

from .oracles import (
    FIELDS,
    fast_read,
    fast_write,
    jeepney_body,
    jeepney_read,
    jeepney_write,
)
from .strategies import ARGUMENTS, BUS_NAMES, INTERFACES, MEMBERS, ORDERS, PATHS, SERIALS

ABSENT = st.just("")
PARTIES = {"destination": BUS_NAMES | ABSENT, "sender": BUS_NAMES | ABSENT}
HEADERS = {
    METHOD_CALL: {"path": PATHS, "interface": INTERFACES | ABSENT, "member": MEMBERS},
    METHOD_RETURN: {"reply_serial": SERIALS},
    ERROR: {"error_name": INTERFACES, "reply_serial": SERIALS},
    SIGNAL: {"path": PATHS, "interface": INTERFACES, "member": MEMBERS},
}
# The type and the fields of a message that is legal.
MESSAGES = st.sampled_from(sorted(HEADERS)).flatmap(
    lambda kind: st.tuples(st.just(kind), st.fixed_dictionaries({**HEADERS[kind], **PARTIES}))
)
FLAGS = st.integers(0, 7)


def build_ours(kind, flags, serial, fields, signature, body, order):
    """The message by the function of its type. Only calls choose their flags."""
    rest = {"signature": signature, "body": body, "order": order, **fields}
    if kind == METHOD_CALL:
        return build.call(serial, flags=flags, **rest)
    if kind == ERROR:
        return build.error(serial, name=rest.pop("error_name"), **rest)
    write = {METHOD_RETURN: build.method_return, SIGNAL: build.signal}[kind]
    return write(serial, **rest)


def read_ours(data):
    framer = Framer(len(data))
    framer.feed(data)
    message = framer.take()
    assert framer.take() is None
    check(message.signature, message.body, message.order)
    fields = {name: getattr(message, name) for name in FIELDS.values()}
    fields.update(type=message.type, flags=message.flags, serial=message.serial)
    return {name: value for name, value in fields.items() if value}, message.values()


def expected(kind, flags, serial, fields, signature):
    everything = {**fields, "type": kind, "flags": flags, "serial": serial, "signature": signature}
    return {name: value for name, value in everything.items() if value}


@given(MESSAGES, FLAGS, SERIALS, ARGUMENTS, ORDERS)
def test_jeepney_and_we_read_what_we_write(message, flags, serial, arguments, order):
    kind, fields = message
    signature, values = arguments
    body = jeepney_body(signature, values, order)
    data = build_ours(kind, flags, serial, fields, signature, body, order)
    header = expected(kind, flags if kind == METHOD_CALL else 1, serial, fields, signature)
    assert read_ours(data) == (header, values)
    assert jeepney_read(data) == (header, values)


@given(MESSAGES, FLAGS, SERIALS, ARGUMENTS)
def test_dbus_fast_reads_what_we_write(message, flags, serial, arguments):
    kind, fields = message
    signature, values = arguments
    data = build_ours(kind, flags, serial, fields, signature, encode(signature, values), NATIVE)
    header = expected(kind, flags if kind == METHOD_CALL else 1, serial, fields, signature)
    assert fast_read(data) == (header, values)


@given(MESSAGES, FLAGS, SERIALS, ARGUMENTS, ORDERS)
def test_we_read_what_jeepney_writes(message, flags, serial, arguments, order):
    kind, fields = message
    signature, values = arguments
    data = jeepney_write(kind, flags, serial, fields, signature, values, order)
    assert read_ours(data) == (expected(kind, flags, serial, fields, signature), values)


@given(MESSAGES, FLAGS, SERIALS, ARGUMENTS)
def test_we_read_what_dbus_fast_writes(message, flags, serial, arguments):
    kind, fields = message
    # It sends only what a client sends, and the daemon adds the sender.
    fields = {**fields, "sender": ""}
    signature, values = arguments
    data = fast_write(kind, flags, serial, fields, signature, values)
    assert read_ours(data) == (expected(kind, flags, serial, fields, signature), values)


@given(ARGUMENTS)
def test_bodies_are_byte_for_byte_those_of_jeepney(arguments):
    assert encode(*arguments) == jeepney_body(*arguments, NATIVE)
