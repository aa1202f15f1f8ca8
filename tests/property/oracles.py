"""Other people's marshalling, asked in our terms: jeepney and dbus-fast."""

from __future__ import annotations

import io

from dbus_fast import Message as FastMessage
from dbus_fast import MessageFlag, MessageType, Variant
from dbus_fast._private.unmarshaller import Unmarshaller
from dbus_fast.signature import SignatureTree
from jeepney.low_level import Endianness, Header, HeaderFields, parse_signature
from jeepney.low_level import Message as JeepneyMessage

# Our names of the header fields that both have.
FIELDS = {
    1: "path", 2: "interface", 3: "member", 4: "error_name", 5: "reply_serial",
    6: "destination", 7: "sender", 8: "signature",
}  # fmt: skip

ENDIANNESS = {"<": Endianness.little, ">": Endianness.big}


def jeepney_body(signature, values, order):
    """The bytes of `values` as jeepney writes them."""
    return parse_signature(list(f"({signature})")).serialise(values, 0, ENDIANNESS[order])


def jeepney_write(kind, flags, serial, fields, signature, values, order):
    """A whole message as jeepney writes it; `fields` has attributes of ours as keys."""
    codes = {name: HeaderFields(code) for code, name in FIELDS.items()}
    header = {codes[name]: value for name, value in fields.items() if value}
    if signature:
        header[HeaderFields.signature] = signature
    head = Header(ENDIANNESS[order], kind, flags, 1, -1, serial, header)
    return JeepneyMessage(head, values).serialise()


def jeepney_read(data):
    """The header fields and the values in `data` as jeepney reads them."""
    read = JeepneyMessage.from_buffer(data)
    fields = {FIELDS[code.value]: value for code, value in read.header.fields.items()}
    fields.update(
        type=read.header.message_type.value,
        flags=read.header.flags.value,
        serial=read.header.serial,
    )
    return {name: value for name, value in fields.items() if value}, read.body


def fast_write(kind, flags, serial, fields, signature, values):
    """A whole message as dbus-fast writes it, which is always little-endian."""
    types = SignatureTree(signature).types
    body = [_to_fast(type_, value) for type_, value in zip(types, values)]
    given = {name: value for name, value in fields.items() if value}
    message = FastMessage(
        message_type=MessageType(kind),
        flags=MessageFlag(flags),
        serial=serial,
        signature=signature,
        body=body,
        **given,
    )
    return bytes(message._marshall(False))


def fast_read(data):
    """The header fields and the values in `data` as dbus-fast reads them."""
    read = Unmarshaller(io.BytesIO(data)).unmarshall()
    fields = {name: getattr(read, name) for name in FIELDS.values()}
    fields.update(type=read.message_type.value, flags=read.flags.value, serial=read.serial)
    types = SignatureTree(read.signature).types
    values = tuple(_from_fast(type_, value) for type_, value in zip(types, read.body))
    return {name: value for name, value in fields.items() if value}, values


def _to_fast(type_, value):
    """Structs are lists there, and variants objects."""
    if type_.token == "v":
        signature, inner = value
        return Variant(signature, _to_fast(SignatureTree(signature).types[0], inner))
    if type_.token == "(":
        return [_to_fast(child, item) for child, item in zip(type_.children, value)]
    if type_.token == "a" and type_.children[0].token == "{":
        key, item = type_.children[0].children
        return {_to_fast(key, k): _to_fast(item, v) for k, v in value.items()}
    if type_.token == "a" and type_.children[0].token != "y":
        return [_to_fast(type_.children[0], item) for item in value]
    return value


def _from_fast(type_, value):
    if type_.token == "v":
        return (value.signature, _from_fast(value.type, value.value))
    if type_.token == "(":
        return tuple(_from_fast(child, item) for child, item in zip(type_.children, value))
    if type_.token == "a" and type_.children[0].token == "{":
        key, item = type_.children[0].children
        return {_from_fast(key, k): _from_fast(item, v) for k, v in value.items()}
    if type_.token == "a" and type_.children[0].token != "y":
        return [_from_fast(type_.children[0], item) for item in value]
    return value
