"""A thin wrapper over sd-bus: as much of it as the reference uses between its nodes.

Rules of this file
- Nothing here knows a node or a job; nothing here is ours: no module of hirte is imported, so
  that what sd-bus says about our bytes is said by sd-bus alone.
- A callback never lets an exception pass through C: it is kept and raised by `Bus.process`.
- The library asserts some rules of the protocol and aborts the process. Whoever talks to
  something under test runs in a process of its own (`tests.foreign.apart`).
"""

from __future__ import annotations

import ctypes
import os
from ctypes import byref, c_uint32, c_uint64, c_void_p
from dataclasses import dataclass
from typing import Any, Callable

from .libsystemd import HANDLER, NEVER, Error, Id128, VtableEntry, check, library
from .messages import Record, append, record, reply_serial_of, split


@dataclass(frozen=True)
class Member:
    """One row of a vtable: a method (`result` given) or a signal (`result` is None)."""

    name: str
    signature: str
    result: str | None = None


class Bus:
    """One sd-bus connection without an event loop: the owner polls `fileno` and calls `process`.

    `on_message` is told of every received message that is no awaited answer, `on_call` of a method
    call of an exported object (the script answers it by its handle), `on_answer` of the answer to a
    call of ours, also one that the library made up itself (time-out, connection lost).
    """

    def __init__(
        self,
        on_message: Callable[[Record], None],
        on_call: Callable[[Record], None],
        on_answer: Callable[[int, Record], None],
    ) -> None:
        pointer = c_void_p()
        check("sd_bus_new", byref(pointer))
        self._bus: int | None = pointer.value
        self._calls: dict[int, int] = {}
        self._last_handle = 0
        self._failure: BaseException | None = None
        self._keep: list[Any] = []
        self._on_message = self._guard(lambda message: on_message(record(message)), 0)
        self._on_call = self._guard(
            lambda message: on_call(record(message, self._hold(message))), 1
        )
        self._on_answer = self._guard(
            lambda message: on_answer(reply_serial_of(message), record(message)), 1
        )
        check("sd_bus_set_trusted", self._bus, 1)
        check("sd_bus_add_filter", self._bus, None, self._on_message, None)

    def _guard(self, act: Callable[[int], None], result: int) -> Any:
        def handler(message: int, _data: int, _error: int) -> int:
            try:
                act(message)
            except Exception as failure:  # noqa: BLE001 - raised again by process()
                self._failure = failure
            return result

        callback = HANDLER(handler)
        self._keep.append(callback)
        return callback

    def _hold(self, message: int) -> int:
        self._last_handle += 1
        self._calls[self._last_handle] = library.sd_bus_message_ref(message)
        return self._last_handle

    def connect(self, address: str) -> None:
        """Open as a client, exactly as the reference agent does. OSError when it fails at once."""
        check("sd_bus_set_address", self._bus, address.encode())
        check("sd_bus_start", self._bus)

    def join(self, address: str) -> None:
        """Open as a client of a message bus. OSError when it fails at once."""
        check("sd_bus_set_address", self._bus, address.encode())
        check("sd_bus_set_bus_client", self._bus, 1)
        check("sd_bus_start", self._bus)

    def serve(self, descriptor: int, sender: str) -> None:
        """Be the server on an accepted socket as the reference controller; takes the descriptor."""
        identity = Id128()
        identity.bytes[:] = os.urandom(16)
        check("sd_bus_set_fd", self._bus, descriptor, descriptor)
        check("sd_bus_set_server", self._bus, 1, identity)
        check("sd_bus_set_anonymous", self._bus, 1)
        check("sd_bus_set_sender", self._bus, sender.encode())
        check("sd_bus_start", self._bus)

    def export(self, path: str, interface: str, members: tuple[Member, ...]) -> int:
        """Export an object with a vtable; the slot is for `withdraw`."""
        table = (VtableEntry * (len(members) + 2))()
        format_reference = c_uint32.in_dll(library, "sd_bus_object_vtable_format")
        table[0].type_and_flags = ord("<")
        table[0].words[:3] = [
            ctypes.sizeof(VtableEntry),
            1,  # _SD_BUS_VTABLE_PARAM_NAMES: the entries have the newer, longer form
            ctypes.addressof(format_reference),
        ]
        handler = ctypes.cast(self._on_call, c_void_p).value or 0
        for entry, member in zip(table[1:-1], members):
            entry.type_and_flags = ord("S" if member.result is None else "M")
            words = [self._c_string(member.name), self._c_string(member.signature)]
            if member.result is None:
                words.append(self._c_string(""))
            else:
                words += [self._c_string(member.result), handler, 0, self._c_string("")]
            entry.words[: len(words)] = words
        table[-1].type_and_flags = ord(">")
        self._keep.append(table)
        slot = c_void_p()
        check(
            "sd_bus_add_object_vtable",
            self._bus,
            byref(slot),
            path.encode(),
            interface.encode(),
            table,
            None,
        )
        assert slot.value is not None
        return slot.value

    def withdraw(self, slot: int) -> None:
        """The object is no longer exported."""
        library.sd_bus_slot_unref(slot)

    def _c_string(self, text: str) -> int:
        buffer = ctypes.create_string_buffer(text.encode())
        self._keep.append(buffer)
        return ctypes.addressof(buffer)

    def call(
        self,
        destination: str | None,
        path: str,
        interface: str | None,
        member: str,
        signature: str = "",
        body: tuple[Any, ...] = (),
        *,
        answer: bool = True,
        seconds: float = 30.0,
    ) -> int:
        """Send a method call, return its serial; without `answer` it is fire-and-forget."""
        message = c_void_p()
        names = [None if name is None else name.encode() for name in (destination, path, interface)]
        check("sd_bus_message_new_method_call", self._bus, byref(message), *names, member.encode())
        self._fill(message.value, signature, body)
        callback = ctypes.cast(self._on_answer, c_void_p) if answer else None
        microseconds = int(seconds * 1_000_000)
        check("sd_bus_call_async", self._bus, None, message, callback, None, microseconds)
        serial = c_uint64()
        check("sd_bus_message_get_cookie", message, byref(serial))
        library.sd_bus_message_unref(message)
        return serial.value

    def signal(
        self,
        path: str,
        interface: str,
        member: str,
        signature: str = "",
        body: tuple[Any, ...] = (),
    ) -> None:
        """Send a signal."""
        message = c_void_p()
        names = (path.encode(), interface.encode(), member.encode())
        check("sd_bus_message_new_signal", self._bus, byref(message), *names)
        self._fill(message.value, signature, body)
        self._send(message.value)

    def reply(self, handle: int, signature: str = "", body: tuple[Any, ...] = ()) -> None:
        """Answer a held call with a method return."""
        call = self._calls.pop(handle)
        message = c_void_p()
        check("sd_bus_message_new_method_return", call, byref(message))
        self._fill(message.value, signature, body)
        self._send(message.value)
        library.sd_bus_message_unref(call)

    def refuse(self, handle: int, name: str, text: str) -> None:
        """Answer a held call with an error."""
        call = self._calls.pop(handle)
        message = c_void_p()
        error = Error(name.encode(), text.encode(), 0)
        check("sd_bus_message_new_method_error", call, byref(message), byref(error))
        self._send(message.value)
        library.sd_bus_message_unref(call)

    def _fill(self, message: int | None, signature: str, body: tuple[Any, ...]) -> None:
        assert message is not None
        kinds = split(signature)
        if len(kinds) != len(body):
            raise ValueError(f"{len(body)} values for signature {signature!r}")
        for kind, value in zip(kinds, body):
            append(message, kind, value)

    def _send(self, message: int | None) -> None:
        check("sd_bus_send", self._bus, message, None)
        library.sd_bus_message_unref(message)

    def fileno(self) -> int:
        """The descriptor to poll; changes never while the connection is open."""
        return check("sd_bus_get_fd", self._bus)

    def events(self) -> int:
        """The poll events the library waits for."""
        return check("sd_bus_get_events", self._bus)

    def timeout(self) -> int | None:
        """Microseconds on CLOCK_MONOTONIC at which `process` wants to run; None for never."""
        value = c_uint64()
        check("sd_bus_get_timeout", self._bus, byref(value))
        return None if value.value == NEVER else value.value

    def process(self) -> bool:
        """One step; whether there was something to do. OSError when the connection is lost."""
        busy = check("sd_bus_process", self._bus, None)
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure
        return busy > 0

    def close(self) -> None:
        """End the connection: what is queued is lost."""
        if self._bus is None:
            return
        for call in self._calls.values():
            library.sd_bus_message_unref(call)
        self._calls.clear()
        library.sd_bus_close_unref(self._bus)
        self._bus = None
