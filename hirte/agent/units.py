"""The unit table: which units systemd has loaded, their state, and who wants to hear of them.

All loaded units have a row, so that a new subscription can be answered from here. A row goes when
its unit is neither loaded nor subscribed. Rows follow systemd also while no manager listens.
"""

from __future__ import annotations

import struct
from sys import intern

from hirte.agent.systemd import UNIT, UNIT_PATH
from hirte.wire.encode import NATIVE, encode
from hirte.wire.escape import escape
from hirte.wire.message import Message
from hirte.wire.splice import array_behind, native_body, skip_strings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    # Sends a signal of the internal agent interface: name, signature, body.
    Emit = Callable[[str, str, bytes], None]

REAL, VIRTUAL = "real", "virtual"
WILDCARD = "*"
# What the reference says of a state that is not known.
INVALID = "invalid"

_U32 = struct.Struct(NATIVE + "I")
_UNIT_HEAD = encode("s", (UNIT,))
# How a property of type string stands in a PropertiesChanged: key, signature, aligned value. No
# string can hold the NUL bytes of this pattern, so it is found nowhere else.
_STATE_KEYS = tuple(encode("sg", (name, "s")) for name in ("ActiveState", "SubState"))


class Unit:
    """A row. The states are empty while they are not known."""

    __slots__ = ("active", "loaded", "name", "sub", "subscribed")

    def __init__(self, name: str) -> None:
        self.name = name
        self.subscribed = False
        self.loaded = False
        self.active = ""
        self.sub = ""


class Units:
    """The table; `emit` carries its news to the manager."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._rows: dict[str, Unit] = {}
        self._all = False

    def __len__(self) -> int:
        return len(self._rows)

    # The manager asks

    def subscribe(self, name: str) -> bool:
        """Report on a unit, or on all for `*`, from now on; False if that was so already."""
        if name == WILDCARD:
            if self._all:
                return False
            self._all = True
            self._emit("UnitNew", "ss", encode("ss", (WILDCARD, VIRTUAL)))
            return True
        row = self._rows.setdefault(UNIT_PATH + escape(name), Unit(name))
        if row.subscribed:
            return False
        row.subscribed = True
        if row.loaded:
            self._emit("UnitNew", "ss", encode("ss", (name, VIRTUAL)))
            if row.active:
                self._tell_state(row, VIRTUAL)
        return True

    def unsubscribe(self, name: str) -> bool:
        """Stop to report on a unit, or on all for `*`; False if that was so already."""
        if name == WILDCARD:
            was, self._all = self._all, False
            return was
        path = UNIT_PATH + escape(name)
        row = self._rows.get(path)
        if row is None or not row.subscribed:
            return False
        row.subscribed = False
        self._drop_if_useless(path, row)
        return True

    def forget_subscriptions(self) -> None:
        """Stop to report on anything: the manager is gone."""
        self._all = False
        for path, row in list(self._rows.items()):
            row.subscribed = False
            self._drop_if_useless(path, row)

    # systemd tells

    def sync(self, units: Iterable[Any]) -> None:
        """Take the whole of ListUnits, after a (re)connection to systemd."""
        present = {}
        for name, _, _, active, sub, _, path, *_ in units:
            present[path] = True
            row = self._rows.get(path)
            if row is None or not row.loaded:
                self.unit_new(name, path)
                row = self._rows[path]
            self._update(row, active, sub)
        for path, row in list(self._rows.items()):
            if row.loaded and path not in present:
                self.unit_removed(path)

    def unit_new(self, name: str, path: str) -> None:
        """Take systemd's UnitNew."""
        row = self._rows.get(path)
        if row is None:
            row = self._rows[path] = Unit(name)
        row.loaded = True
        row.active, row.sub = "inactive", "dead"
        if row.subscribed or self._all:
            self._emit("UnitNew", "ss", encode("ss", (row.name, REAL)))

    def unit_removed(self, path: str) -> None:
        """Take systemd's UnitRemoved."""
        row = self._rows.get(path)
        if row is None:
            return
        row.loaded = False
        row.active = row.sub = ""
        if row.subscribed or self._all:
            self._emit("UnitRemoved", "s", encode("s", (row.name,)))
        self._drop_if_useless(path, row)

    def properties_changed(self, message: Message) -> None:
        """Take systemd's PropertiesChanged of a unit."""
        row = self._rows.get(message.path)
        if row is None:
            return
        wanted = row.subscribed or self._all
        body = native_body(message)
        if body.startswith(_UNIT_HEAD):
            active, sub = [_string_property(body, key) for key in _STATE_KEYS]
            self._update(row, active or row.active, sub or row.sub)
        if wanted:
            (interface,), end = skip_strings(body, 1)
            changed = array_behind(encode("ss", (row.name, interface)), body, end)
            self._emit("UnitPropertiesChanged", "ssa{sv}", changed)

    def _update(self, row: Unit, active: str, sub: str) -> None:
        # The same few words for all units: keep one copy of each.
        active, sub = intern(active), intern(sub)
        if (active, sub) != (row.active, row.sub):
            row.active, row.sub = active, sub
            if row.subscribed or self._all:
                self._tell_state(row, REAL)

    def _tell_state(self, row: Unit, reason: str) -> None:
        states = (row.active or INVALID, row.sub or INVALID)
        body = encode("ssss", (row.name, *states, reason))
        self._emit("UnitStateChanged", "ssss", body)

    def _drop_if_useless(self, path: str, row: Unit) -> None:
        if not row.loaded and not row.subscribed:
            del self._rows[path]


def _string_property(body: bytes, key: bytes) -> str:
    """Return the value that `body` has for `key`; empty if the property is not in it."""
    found = body.find(key)
    if found < 0:
        return ""
    start = found + len(key)
    start += -start % 4
    (size,) = _U32.unpack_from(body, start)
    return body[start + 4 : start + 4 + size].decode()
