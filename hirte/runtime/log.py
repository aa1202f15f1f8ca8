"""The log: journald's native protocol or stderr, and never a wait.

Rules of this file:

- Nothing here blocks. A record that cannot be delivered at once is dropped and counted, and the
  next one that gets through tells the count.
- Nothing here raises for what is logged or for where it goes: logging must not end a daemon.
- A value cannot become a field or a line of its own, whatever a peer puts into it.

Standards: systemd.journal-fields(7), the native journal protocol (JOURNAL_NATIVE_PROTOCOL.md),
spellings on stderr as in the reference.
"""

from __future__ import annotations

import os
import select
import sys
import time
from _socket import AF_UNIX, SOCK_CLOEXEC, SOCK_DGRAM, SOL_SOCKET, socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType
    from typing import Protocol

    class Target(Protocol):
        """Where records go."""

        def write(self, record: Record) -> bool:
            """Deliver the record now, or return False."""

        def close(self) -> None:
            """Give back what is held."""


# Priorities of syslog(3).
ERROR = 3
WARN = 4
INFO = 6
DEBUG = 7
# As they are spelled in settings and on stderr.
LEVELS = {"ERROR": ERROR, "WARN": WARN, "INFO": INFO, "DEBUG": DEBUG}
# A threshold that no priority is below.
_QUIET = -1
_SPELLED = {priority: level for level, priority in LEVELS.items()}

JOURNAL_SOCKET = "/run/systemd/journal/socket"

# A write of up to PIPE_BUF bytes to a pipe that is ready does not block (pipe(7)).
_STDERR_CHUNK = select.PIPE_BUF

# Journald takes field names of up to 64 of A-Z, 0-9 and _ that do not start with 0-9 or _.
_FIELD_NAME_MAX = 64

# Control characters could be lines or terminal commands of their own.
_VISIBLE = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))}
_VISIBLE.update({ord("\n"): "\\n", ord("\r"): "\\r", ord("\t"): "\t"})

# Paths of our modules are told from here on, wherever the package lies.
_PACKAGE = "/hirte/"


class Record:
    """One entry of the log."""

    __slots__ = ("fields", "file", "function", "line", "message", "priority")

    def __init__(
        self, priority: int, message: str, fields: dict[str, object], frame: FrameType
    ) -> None:
        code = frame.f_code
        start = code.co_filename.rfind(_PACKAGE)
        self.priority = priority
        self.message = message
        self.fields = fields
        self.file = code.co_filename[start + 1 :]
        self.line = frame.f_lineno
        self.function = code.co_name


class Log:
    """What the other parts are handed to log with.

    `debug`, `info`, `warning`, `error` take the message and journal fields by name (`NODE=…`);
    a field whose value is None is left out.
    """

    __slots__ = ("_lost", "_quiet", "_target", "level", "threshold")

    def __init__(self, target: Target, level: str = "INFO", quiet: bool = False) -> None:
        self._target = target
        self._lost = 0
        self._quiet = quiet
        self.level = level
        self.threshold = 0
        self.set_level(level)

    def set_level(self, level: str) -> None:
        """Log records of `level` and more important ones. Raises ValueError for no level."""
        if level not in LEVELS:
            raise ValueError(f"{level!r} is none of {', '.join(LEVELS)}")
        self.level = level
        self._adjust()

    def set_quiet(self, quiet: bool) -> None:
        """Log nothing at all, or log again."""
        self._quiet = quiet
        self._adjust()

    def close(self) -> None:
        """End the log; what comes later is lost."""
        self._target.close()

    def _adjust(self) -> None:
        self.threshold = _QUIET if self._quiet else LEVELS[self.level]

    def debug(self, message: str, **fields: object) -> None:
        if self.threshold >= DEBUG:
            self._emit(DEBUG, message, fields)

    def info(self, message: str, **fields: object) -> None:
        if self.threshold >= INFO:
            self._emit(INFO, message, fields)

    def warning(self, message: str, **fields: object) -> None:
        if self.threshold >= WARN:
            self._emit(WARN, message, fields)

    def error(self, message: str, **fields: object) -> None:
        if self.threshold >= ERROR:
            self._emit(ERROR, message, fields)

    def _emit(self, priority: int, message: str, fields: dict[str, object]) -> None:
        if self._lost:
            fields["LOST_RECORDS"] = self._lost
            message = f"{message} ({self._lost} earlier log records were lost)"
        # The caller of debug(), info() ...
        if self._target.write(Record(priority, message, fields, sys._getframe(2))):
            self._lost = 0
        else:
            self._lost += 1


class Journal:
    """journald's native socket.

    `identifier` is what the journal shows as the program's name. Every record is sent to the path
    anew, so that a restarted journald gets the next one.
    """

    __slots__ = ("_header", "_path", "_socket")

    def __init__(self, identifier: str, path: str = JOURNAL_SOCKET) -> None:
        self._header = _field("SYSLOG_IDENTIFIER", identifier)
        self._path = path
        self._socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC)
        self._socket.setblocking(False)

    def write(self, record: Record) -> bool:
        data = self._header + _native(record)
        try:
            self._socket.sendto(data, self._path)
        except OSError as error:
            from errno import EMSGSIZE, ENOBUFS

            return error.errno in (EMSGSIZE, ENOBUFS) and self._write_large(data)
        return True

    def close(self) -> None:
        self._socket.close()

    def _write_large(self, data: bytes) -> bool:
        """Pass a record that no datagram can hold as a sealed file in memory."""
        import fcntl
        from _socket import SCM_RIGHTS

        seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL
        try:
            fd = os.memfd_create("hirte-journal", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        except OSError:
            return False
        try:
            with open(fd, "wb", closefd=False) as file:
                file.write(data)
            fcntl.fcntl(fd, fcntl.F_ADD_SEALS, seals)
            rights = [(SOL_SOCKET, SCM_RIGHTS, fd.to_bytes(4, sys.byteorder))]
            self._socket.sendmsg([b""], rights, 0, self._path)
        except OSError:
            return False
        finally:
            os.close(fd)
        return True


class Stderr:
    """Lines on stderr. `full` adds the place in the code and the fields."""

    __slots__ = ("_cut", "_fd", "_full", "_now", "_poll")

    def __init__(self, full: bool, fd: int = 2, now: Callable[[], float] = time.time) -> None:
        self._cut = False
        self._full = full
        self._fd = fd
        self._now = now
        self._poll = select.poll()
        self._poll.register(fd, select.POLLOUT)

    def write(self, record: Record) -> bool:
        start = "\n" if self._cut else ""
        data = f"{start}{self._line(record)}\n".encode("utf-8", "backslashreplace")
        rest = self._write(data)
        if len(rest) < len(data):
            self._cut = bool(rest)
        return not rest

    def close(self) -> None:
        """Leave the descriptor open: it is the process's, not ours."""

    def _write(self, data: bytes) -> bytes:
        """Write what fits now; return the rest."""
        try:
            # A broken descriptor is "ready" as well: the write tells.
            while data and self._poll.poll(0):
                data = data[os.write(self._fd, data[:_STDERR_CHUNK]) :]
        except OSError:
            pass  # the rest is lost, and will be counted
        return data

    def _line(self, record: Record) -> str:
        head = f"{_stamp(self._now())} {_SPELLED[record.priority]}\t"
        message = record.message.translate(_VISIBLE)
        if not self._full:
            return f"{head}: {message}"
        line = f'{head}{record.file}:{record.line} {record.function}\tmsg="{message}"'
        data = " ".join(f"{k}={v}" for k, v in record.fields.items() if v is not None)
        return f'{line}, data="{data.translate(_VISIBLE)}"' if data else line


def open_log(target: str, identifier: str, level: str, quiet: bool) -> Log:
    """Return the log that the settings LogTarget, LogLevel and LogIsQuiet ask for."""
    if target == "journald":
        return Log(Journal(identifier), level, quiet)
    return Log(Stderr(full=target == "stderr-full"), level, quiet)


def _stamp(now: float) -> str:
    """Return `now` (seconds since 1970) as local time with milliseconds and offset."""
    local = time.localtime(now)
    milliseconds = int(now * 1000) % 1000
    day = time.strftime("%Y-%m-%d %H:%M:%S", local)
    return f"{day},{milliseconds:03d}{time.strftime('%z', local)}"


def _native(record: Record) -> bytes:
    """Return a record in the native protocol."""
    parts = [
        _field("MESSAGE", record.message),
        b"PRIORITY=%d\n" % record.priority,
        _field("CODE_FILE", record.file),
        b"CODE_LINE=%d\n" % record.line,
        _field("CODE_FUNC", record.function),
    ]
    for name, value in record.fields.items():
        if value is not None and _is_field_name(name):
            parts.append(_field(name, str(value)))
    return b"".join(parts)


def _is_field_name(name: str) -> bool:
    """Tell whether journald would take the field; it leaves out others itself."""
    return (
        name.isascii()
        and name.isidentifier()
        and name.isupper()
        and not name.startswith("_")
        and len(name) <= _FIELD_NAME_MAX
    )


def _field(name: str, text: str) -> bytes:
    """Return one field; a value of several lines is framed by its length."""
    data = text.encode("utf-8", "backslashreplace")
    if b"\n" not in data:
        return b"%s=%s\n" % (name.encode(), data)
    return b"%s\n%s%s\n" % (name.encode(), len(data).to_bytes(8, "little"), data)
