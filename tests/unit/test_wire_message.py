"""Headers: what the specification demands of them, field by field."""

from __future__ import annotations

import struct

import pytest

from hirte.wire import message as wire_message
from hirte.wire.errors import PeerError
from hirte.wire.framing import Framer
from hirte.wire.limits import CACHE_ENTRIES, CACHE_NAME_BYTES, HEADER_FIELDS_BYTES

from .wire_raw import CALL, ERROR, RETURN, SIGNAL, field, message, pad


def read(data, limit=1 << 20):
    framer = Framer(limit)
    framer.feed(data)
    return framer.take()


def refused(data):
    with pytest.raises(PeerError) as caught:
        read(data)
    return str(caught.value)


@pytest.mark.parametrize("order", ["<", ">"])
def test_every_field_of_a_message_is_read(order):
    fields = (
        (7, "s", ":1.7"),
        (6, "s", "org.containers.hirte"),
        (1, "o", "/org/containers/hirte"),
        (2, "s", "org.containers.hirte.Manager"),
        (3, "s", "ListNodes"),
        (9, "u", 0),
    )
    body = struct.pack(order + "I", 0x01020304)
    found = read(message(fields, body, flags=3, serial=0xFFFFFFFF, signature="u", order=order))
    assert (found.type, found.flags, found.serial, found.order) == (1, 3, 0xFFFFFFFF, order)
    assert (found.path, found.interface) == (fields[2][2], fields[3][2])
    assert (found.member, found.destination, found.sender) == (
        "ListNodes",
        "org.containers.hirte",
        ":1.7",
    )
    assert (found.signature, found.body, found.values()) == ("u", body, (0x01020304,))
    assert (found.error_name, found.reply_serial) == ("", 0)


def test_an_error_and_its_text():
    found = read(message(ERROR, struct.pack("<I", 3) + b"bad\0", kind=3, signature="s"))
    assert (found.error_name, found.reply_serial, found.error_text()) == ("a.Error", 1, "bad")
    assert read(message(ERROR, b"\1", kind=3, signature="y")).error_text() == ""
    assert read(message(ERROR, kind=3)).error_text() == ""
    with pytest.raises(PeerError):
        read(message(ERROR, b"\1", kind=3, signature="s")).error_text()


@pytest.mark.parametrize(
    "kind, fields, names",
    [
        (1, CALL, {1: "path", 3: "member"}),
        (2, RETURN, {5: "reply_serial"}),
        (3, ERROR, {4: "error_name", 5: "reply_serial"}),
        (4, SIGNAL, {1: "path", 2: "interface", 3: "member"}),
    ],
)
def test_required_fields(kind, fields, names):
    assert read(message(fields, kind=kind)).type == kind
    for code, name in names.items():
        rest = [item for item in fields if item[0] != code]
        assert f"has no {name}" in refused(message(rest, kind=kind))


def test_type_0_and_serial_0_are_refused():
    refused(message(kind=0))
    refused(message(serial=0))
    refused(message(((5, "u", 0),), kind=2))


def test_unknown_types_are_left_to_the_reader_to_ignore():
    assert read(message((), kind=255)).type == 255


def test_unknown_flags_are_ignored():
    assert read(message(flags=0xFF)).flags == 0xFF


VALUES = {
    1: ["", "a", "/a/", "//", "/a//b", "/a-b", "/\u00e4", "/a\0b"],
    2: ["", "a", ".a.b", "a.b.", "a..b", "a.1b", "a-b.c", "a." + "b" * 254, "a.b\0"],
    3: ["", "1a", "a.b", "a-b", "a" * 256, "a b"],
    4: ["", "Error", "a.1b", "a." + "b" * 254],
    6: ["", "a", "1a.b", "a..b", ":", ":1", ":1..2", "a.b\n", "a." + "b" * 254],
    7: ["", "a", ":1.", "\u00e4.b"],
}


@pytest.mark.parametrize("code", VALUES)
def test_field_values_outside_the_grammar(code):
    kind = "o" if code == 1 else "s"
    others = [item for item in (*SIGNAL, (4, "s", "a.Error")) if item[0] != code]
    for value in VALUES[code]:
        assert f"field {code}" in refused(message((*others, (code, kind, value)), kind=9)), value


@pytest.mark.parametrize(
    "code, value",
    [
        (1, "/"),
        (1, "/_/0"),
        (1, "/" + "a" * 3000),
        (2, "_.a0"),
        (2, "a." + "b" * 253),
        (3, "_"),
        (3, "a" * 255),
        (6, ":1.0"),
        (6, "a-b._c"),
    ],
)
def test_field_values_at_the_edge_of_the_grammar(code, value):
    others = [item for item in CALL if item[0] != code]
    assert read(message((*others, (code, "o" if code == 1 else "s", value)))) is not None


def test_messages_that_claim_to_be_local_are_refused():
    refused(message(((1, "o", "/org/freedesktop/DBus/Local"), (3, "s", "Disconnected"))))
    refused(message((*CALL, (2, "s", "org.freedesktop.DBus.Local"))))


@pytest.mark.parametrize("code", range(1, 10))
def test_a_field_of_the_wrong_type(code):
    for wrong in "yosguv":
        right = {1: "o", 5: "u", 8: "g", 9: "u"}.get(code, "s")
        if wrong != right:
            assert refused(message((*CALL, (code, wrong, b"\1\0\0\0a\0\0\0"))))


def test_a_field_twice_and_a_field_0():
    refused(message((*CALL, (3, "s", "Pong"))))
    refused(message((*CALL, (0, "s", "Pong"))))


def test_unknown_fields_are_skipped_whatever_they_hold():
    unknown = (
        (200, "u", 1),
        (201, "g", "a{sv}"),
        (202, "as", b"\0\0\0" + struct.pack("<II", 6, 1) + b"x\0"),
        (203, "(yy)", b"\0" + b"\1\2"),
    )
    found = read(message((*unknown, *CALL)))
    assert (found.path, found.member) == ("/a", "Ping")


def test_file_descriptors_are_refused_because_nobody_agreed_to_them():
    assert "file descriptors" in refused(message((*CALL, (9, "u", 1))))


def test_padding_must_be_zero():
    assert "padding" in refused(message(padding=b"\1"))
    first = field(*CALL[0])
    assert len(first) % 8
    broken = first + b"\1" * (-len(first) % 8) + field(*CALL[1])
    assert "padding" in refused(message((broken,)))


def test_a_field_may_not_reach_behind_the_header():
    raw = pad(field(*CALL[0]), 8) + field(*CALL[1])
    for size in range(len(raw)):
        cut = message((raw,), fields_size=size)
        with pytest.raises(PeerError):
            read(cut + bytes(64))
    # Its end lies in the next message, which is there already.
    long = struct.pack("<BBBBI", 1, 1, ord("o"), 0, 40) + b"/"
    refused(message((long,)) + b"a" * 39 + b"\0" + bytes(64))
    long = struct.pack("<BBBBB", 8, 1, ord("g"), 0, 40)
    refused(message((*CALL, long)) + b"y" * 100 + b"\0" + bytes(64))


def test_a_broken_header_is_judged_without_what_follows():
    raw = pad(field(*CALL[0]), 8) + field(*CALL[1])
    for size in range(1, len(raw) + 8):
        cut = message((raw,), fields_size=size)[: 16 + (size + 7 & ~7)]
        cut += bytes(16 + (size + 7 & ~7) - len(cut))
        if size not in (len(field(*CALL[0])), len(raw)):
            assert refused(cut) == refused(cut + message()) == refused(cut + b"\xff" * 64)


def test_header_fields_have_a_limit_of_their_own():
    path = "/" + "a" * (HEADER_FIELDS_BYTES - 30)
    assert read(message(((1, "o", path), (3, "s", "A")))).path == path
    assert "bytes" in refused(message(((1, "o", path + "a" * 40), (3, "s", "A"))))


def test_a_signature_without_a_body_is_wrong_unless_it_has_no_values():
    found = read(message(signature="s"))
    with pytest.raises(PeerError):
        found.values()
    empty = read(message((*CALL, (8, "g", ""))))
    assert (empty.signature, empty.values()) == ("", ())


def test_a_bad_signature_in_the_header():
    for signature in ("z", "a", "(", "()", "a{", "a{vs}", "{ss}", "a{s}", "a" * 33 + "y"):
        assert "bad signature" in refused(message(signature=signature, body=bytes(8)))


def test_a_peer_that_invents_names_does_not_fill_the_memory():
    # 30 bytes around the path, see HEADER_FIELDS_BYTES.
    for number in range(2 * CACHE_ENTRIES):
        path = f"/{number:0{CACHE_NAME_BYTES - 30}}"
        assert read(message(((1, "o", path), (3, "s", "A")))).path == path
    known = wire_message._known
    assert len(known) <= CACHE_ENTRIES
    for number in range(10):
        path = f"/{number:0{CACHE_NAME_BYTES}}"
        assert read(message(((1, "o", path), (3, "s", "A")))).path == path
        assert (1, path.encode()) not in known


def test_a_name_that_is_good_in_one_field_is_not_good_in_another():
    assert read(message((*CALL, (6, "s", "a.b-c")))).destination == "a.b-c"
    refused(message((*CALL, (2, "s", "a.b-c"))))
    assert read(message((*CALL, (6, "s", "org.freedesktop.DBus.Local")))) is not None
    refused(message((*CALL, (2, "s", "org.freedesktop.DBus.Local"))))


def test_a_message_shows_itself_in_logs():
    assert repr(read(message(SIGNAL, kind=4))) == "<Message 4 a.b.Tick /a serial=1>"
    assert repr(read(message(ERROR, kind=3))) == "<Message 3 a.Error  serial=1>"
