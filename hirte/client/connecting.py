"""The ways to a manager: over the system bus, or, for root, over its private socket.

The private socket offers the same interface without a bus daemon in between: calls take half the
time, and it works while the bus is down. It is tried first by who may use it.

Which names a manager goes by is asked for, on either way: where its socket lies tells as what it
was started only, and BlueChi's controller has none.
"""

from __future__ import annotations

import os
from time import monotonic, sleep

from jeepney import AuthenticationError, message_bus

from hirte.api.dialect import CHOICES, COMPATIBLE, NATIVE
from hirte.client.connection import Connection
from hirte.client.errors import (
    BUS_GONE,
    MANAGER_GONE,
    NOT_RUNNING,
    USER_BUS_GONE,
    CallError,
    Error,
    ManagerAway,
    NotPermitted,
)
from hirte.client.link import open_link
from hirte.client.manager import Manager
from hirte.client.session import ACCESS_DENIED, CALL_TIMEOUT, Session
from hirte.wire.address import (
    SYSTEM_BUS_VARIABLE,
    USER_BUS_VARIABLE,
    parse,
    system_bus,
    user_bus,
)
from hirte.wire.errors import AddressError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from hirte.api.dialect import Dialect

AUTO, BUS, PRIVATE = "auto", "bus", "private"

# The manager has its socket under the name of the program that it is called as.
PRIVATE_PATHS = {NATIVE.name: "/run/hirte/private", COMPATIBLE.name: "/run/bluechi/private"}
_DIALECTS = {name: CHOICES[name] for name in (AUTO, NATIVE.name, COMPATIBLE.name)}

# Seconds for the handshake with the bus; it takes milliseconds, or on a machine that is booting
# as long as everything else there.
HANDSHAKE_TIMEOUT = 25.0
# Seconds between attempts when the caller waits for the manager: nothing tells when a bus is back.
_RETRY = 0.2


def connect(
    way: str = AUTO,
    *,
    dialect: str = AUTO,
    wait: float = 0.0,
    timeout: float = CALL_TIMEOUT,
) -> Manager:
    """Connect to the manager on this machine.

    `way` is `bus`, `private`, or `auto`: the private socket for root if the manager has one, else
    the bus. `dialect` is `native`, `compatible`, or `auto`: native names if the manager goes by
    them, else BlueChi's. `wait` is how many seconds to wait for a manager that is not there yet.
    `timeout` is how many seconds a call may take.

    Raises ManagerAway, NotPermitted, ValueError.
    """
    if way not in (AUTO, BUS, PRIVATE) or dialect not in _DIALECTS:
        raise ValueError(f"no such way or dialect: {way!r}, {dialect!r}")
    deadline = monotonic() + wait
    while True:
        try:
            return Manager(_open(way, _DIALECTS[dialect], timeout))
        except ManagerAway:
            if monotonic() + _RETRY > deadline:
                raise
        sleep(_RETRY)


def _open(way: str, dialects: Sequence[Dialect], timeout: float) -> Session:
    if way == PRIVATE:
        return _open_private(dialects, timeout)
    if way == AUTO and os.geteuid() == 0:
        try:
            return _open_private(dialects, timeout)
        except (ManagerAway, NotPermitted):
            # Then the bus is the way, or tells what is wrong.
            pass
    connection, name = open_bus()
    session = _session(connection, dialects, timeout, unique_name=name)
    if session is None:
        raise ManagerAway(f"{NOT_RUNNING}: nobody owns {_names(dialects)} on the system bus")
    return session


def _open_private(dialects: Sequence[Dialect], timeout: float) -> Session:
    problems = []
    for path in PRIVATE_PATHS.values():
        try:
            connection = Connection(open_link(path, HANDSHAKE_TIMEOUT), MANAGER_GONE)
        except PermissionError as error:
            raise NotPermitted(ACCESS_DENIED, f"{path} is for root") from error
        except (OSError, AuthenticationError) as error:
            reason = error.strerror if isinstance(error, OSError) else None
            problems.append(f"{path}: {reason or error}")
            continue
        session = _session(connection, dialects, timeout, private=True)
        if session is not None:
            return session
        problems.append(f"{path}: nobody there goes by {_names(dialects)}")
    raise ManagerAway(f"{NOT_RUNNING}: {'; '.join(problems)}")


def _session(
    connection: Connection, dialects: Sequence[Dialect], timeout: float, **more: Any
) -> Session | None:
    """Return a session in the first of the dialects that there is a manager for; None if none.

    Raises the client's errors.
    """
    try:
        for dialect in dialects:
            session = Session(connection, dialect, timeout=timeout, **more)
            if session.is_there():
                return session
    except Error:
        connection.link.close()
        raise
    connection.link.close()
    return None


def _names(dialects: Sequence[Dialect]) -> str:
    return " or ".join(dialect.bus_name for dialect in dialects)


def open_bus(user: bool = False) -> tuple[Connection, str]:
    """Connect to the system bus, or to that of the `user`: where the environment or custom says.

    Return the connection and our unique name. Raises ManagerAway.
    """
    try:
        if user:
            path, gone = _socket(user_bus(os.environ, os.getuid())), USER_BUS_GONE
        else:
            path, gone = _socket(system_bus(os.environ)), BUS_GONE
        connection = Connection(open_link(path, HANDSHAKE_TIMEOUT), gone)
        hello = connection.request(message_bus.Hello(), _name, CallError, HANDSHAKE_TIMEOUT)
        return connection, hello.result()
    except OSError as error:
        reason = error.strerror or str(error)
    except (AuthenticationError, CallError) as error:
        reason = f"it refuses us: {error}"
    except AddressError:
        variable = USER_BUS_VARIABLE if user else SYSTEM_BUS_VARIABLE
        reason = f"{variable} is not the address of a Unix socket"
    raise ManagerAway(f"the {'user' if user else 'system'} bus cannot be reached: {reason}")


def _socket(address: str) -> str:
    """Return the path of the first Unix socket of an address. Raises AddressError."""
    for way in parse(address):
        if way.path:
            return way.path
    raise AddressError(f"no Unix socket: {address!r}")


def _name(signature: str, values: tuple[Any, ...]) -> str:
    return str(values[0])
