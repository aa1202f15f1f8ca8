"""Messages as dbus-daemon and libsystemd really send them: read, and their bodies written again.

tests/data/wire/captured.json says what jeepney reads in them; values are Python literals.
"""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from hirte.wire.check import check
from hirte.wire.encode import NATIVE, encode
from hirte.wire.framing import Framer

FILE = Path(__file__).parent.parent / "data" / "wire" / "captured.json"
CAPTURED = json.loads(FILE.read_text(encoding="utf-8"))


def test_there_are_messages_of_every_type():
    assert {entry["header"]["type"] for entry in CAPTURED} == {1, 2, 3, 4}


@pytest.mark.parametrize("entry", CAPTURED, ids=lambda entry: entry["from"])
def test_a_captured_message(entry):
    values = ast.literal_eval(entry["values"])
    framer = Framer()
    framer.feed(bytes.fromhex(entry["bytes"]))
    message = framer.take()
    for name, value in entry["header"].items():
        assert getattr(message, name) == value
    check(message.signature, message.body, message.order)
    assert message.values() == values
    if message.order == NATIVE:
        assert encode(message.signature, values) == message.body
