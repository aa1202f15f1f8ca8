"""libsystemd.so.0 through ctypes: structures, prototypes and the rule for errors.

No compiler and no headers are needed.
"""

from __future__ import annotations

import ctypes
import os
from ctypes import (
    POINTER,
    Structure,
    c_char,
    c_char_p,
    c_int,
    c_uint8,
    c_uint64,
    c_void_p,
)
from typing import Any

# "infinite" in the library's time-outs
NEVER = 2**64 - 1


class Error(Structure):
    """`sd_bus_error`."""

    _fields_ = [("name", c_char_p), ("message", c_char_p), ("need_free", c_int)]


class Id128(Structure):
    """`sd_id128_t`: handed over by value."""

    _fields_ = [("bytes", c_uint8 * 16)]


HANDLER = ctypes.CFUNCTYPE(c_int, c_void_p, c_void_p, c_void_p)


class VtableEntry(Structure):
    """`sd_bus_vtable`: eight bytes of type and flags, then a union of at most six words."""

    _fields_ = [("type_and_flags", c_uint64), ("words", c_uint64 * 6)]


_PROTOTYPES: dict[str, tuple[Any, ...]] = {
    "sd_bus_new": (POINTER(c_void_p),),
    "sd_bus_set_address": (c_void_p, c_char_p),
    "sd_bus_set_anonymous": (c_void_p, c_int),
    "sd_bus_set_trusted": (c_void_p, c_int),
    "sd_bus_set_bus_client": (c_void_p, c_int),
    "sd_bus_set_fd": (c_void_p, c_int, c_int),
    "sd_bus_set_sender": (c_void_p, c_char_p),
    "sd_bus_set_server": (c_void_p, c_int, Id128),
    "sd_bus_start": (c_void_p,),
    "sd_bus_is_ready": (c_void_p,),
    "sd_bus_get_fd": (c_void_p,),
    "sd_bus_get_events": (c_void_p,),
    "sd_bus_get_timeout": (c_void_p, POINTER(c_uint64)),
    "sd_bus_process": (c_void_p, c_void_p),
    "sd_bus_send": (c_void_p, c_void_p, POINTER(c_uint64)),
    "sd_bus_call_async": (c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_uint64),
    "sd_bus_add_filter": (c_void_p, c_void_p, HANDLER, c_void_p),
    "sd_bus_add_object_vtable": (
        c_void_p,
        POINTER(c_void_p),
        c_char_p,
        c_char_p,
        POINTER(VtableEntry),
        c_void_p,
    ),
    "sd_bus_message_new_method_call": (c_void_p, POINTER(c_void_p)) + (c_char_p,) * 4,
    "sd_bus_message_new_method_return": (c_void_p, POINTER(c_void_p)),
    "sd_bus_message_new_method_error": (c_void_p, POINTER(c_void_p), POINTER(Error)),
    "sd_bus_message_new_signal": (c_void_p, POINTER(c_void_p)) + (c_char_p,) * 3,
    "sd_bus_message_append_basic": (c_void_p, c_char, c_void_p),
    "sd_bus_message_open_container": (c_void_p, c_char, c_char_p),
    "sd_bus_message_close_container": (c_void_p,),
    "sd_bus_message_enter_container": (c_void_p, c_char, c_char_p),
    "sd_bus_message_exit_container": (c_void_p,),
    "sd_bus_message_peek_type": (c_void_p, POINTER(c_char), POINTER(c_char_p)),
    "sd_bus_message_read_basic": (c_void_p, c_char, c_void_p),
    "sd_bus_message_rewind": (c_void_p, c_int),
    "sd_bus_message_at_end": (c_void_p, c_int),
    "sd_bus_message_get_type": (c_void_p, POINTER(c_uint8)),
    "sd_bus_message_get_cookie": (c_void_p, POINTER(c_uint64)),
    "sd_bus_message_get_reply_cookie": (c_void_p, POINTER(c_uint64)),
    "sd_bus_message_get_expect_reply": (c_void_p,),
    "sd_bus_message_get_auto_start": (c_void_p,),
    "sd_bus_message_get_allow_interactive_authorization": (c_void_p,),
}

TEXT_GETTERS = ("path", "interface", "member", "sender", "destination")


def _load() -> ctypes.CDLL:
    loaded = ctypes.CDLL("libsystemd.so.0")
    for name, arguments in _PROTOTYPES.items():
        function = getattr(loaded, name)
        function.argtypes = arguments
        function.restype = c_int
    for getter in TEXT_GETTERS:
        function = getattr(loaded, f"sd_bus_message_get_{getter}")
        function.argtypes = (c_void_p,)
        function.restype = c_char_p
    loaded.sd_bus_message_get_signature.argtypes = (c_void_p, c_int)
    loaded.sd_bus_message_get_signature.restype = c_char_p
    loaded.sd_bus_message_get_error.argtypes = (c_void_p,)
    loaded.sd_bus_message_get_error.restype = POINTER(Error)
    for name in ("sd_bus_close", "sd_bus_flush_close_unref"):
        getattr(loaded, name).argtypes = (c_void_p,)
        getattr(loaded, name).restype = None
    for name in ("message_ref", "message_unref", "slot_unref", "close_unref"):
        function = getattr(loaded, f"sd_bus_{name}")
        function.argtypes = (c_void_p,)
        function.restype = c_void_p
    return loaded


library = _load()


def check(name: str, *arguments: Any) -> int:
    """Call a function; a negative result becomes an OSError that names it."""
    result: int = getattr(library, name)(*arguments)
    if result < 0:
        raise OSError(-result, f"{name}: {os.strerror(-result)}")
    return result
