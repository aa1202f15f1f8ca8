"""The ways to a manager: over the system bus, or, for root, over its private socket.

The private socket offers the same interface without a bus daemon in between: calls take half the
time, and it works while the bus is down. It is tried first by who may use it.
"""

from __future__ import annotations

import os
from time import monotonic, sleep

from jeepney import AuthenticationError, message_bus

from hirte.api.dialect import COMPATIBLE, NATIVE
from hirte.client.connection import Connection
from hirte.client.errors import (
    BUS_GONE,
    MANAGER_GONE,
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
    from typing import Any

    from hirte.api.dialect import Dialect

AUTO, BUS, PRIVATE = "auto", "bus", "private"

# The manager has its socket under the name of the program that it is called as.
PRIVATE_PATHS = {NATIVE.name: "/run/hirte/private", COMPATIBLE.name: "/run/bluechi/private"}
_DIALECTS = {dialect.name: dialect for dialect in (NATIVE, COMPATIBLE)}

# Seconds for the handshake with the bus; it takes milliseconds, or on a machine that is booting
# as long as everything else there.
HANDSHAKE_TIMEOUT = 25.0
# Seconds between attempts when the caller waits for the manager: nothing tells when a bus is back.
_RETRY = 0.2


def connect(
    way: str = AUTO,
    *,
    dialect: str = NATIVE.name,
    wait: float = 0.0,
    timeout: float = CALL_TIMEOUT,
) -> Manager:
    """Connect to the manager on this machine.

    `way` is `bus`, `private`, or `auto`: the private socket for root if the manager has one, else
    the bus. `dialect` is `native` or `compatible`. `wait` is how many seconds to wait for a manager
    that is not there yet; by default, over the bus, whether there is one shows with the first call.
    `timeout` is how many seconds a call may take.

    Raises ManagerAway, NotPermitted, ValueError.
    """
    if way not in (AUTO, BUS, PRIVATE) or dialect not in _DIALECTS:
        raise ValueError(f"no such way or dialect: {way!r}, {dialect!r}")
    deadline = monotonic() + wait
    while True:
        try:
            session = _open(way, _DIALECTS[dialect], timeout)
            if wait:
                _make_sure(session)
            return Manager(session)
        except ManagerAway:
            if monotonic() + _RETRY > deadline:
                raise
        sleep(_RETRY)


def _make_sure(session: Session) -> None:
    try:
        session.attach()
    except Error:
        session.close()
        raise


def _open(way: str, dialect: Dialect, timeout: float) -> Session:
    if way == PRIVATE or (way == AUTO and os.geteuid() == 0):
        path = PRIVATE_PATHS[dialect.name]
        try:
            return Session(_open_private(path), dialect, private=True, timeout=timeout)
        except PermissionError as error:
            if way == PRIVATE:
                raise NotPermitted(ACCESS_DENIED, f"{path} is for root") from error
        except (OSError, AuthenticationError) as error:
            if way == PRIVATE:
                reason = error.strerror if isinstance(error, OSError) else None
                text = f"the manager is not running: {path}: {reason or error}"
                raise ManagerAway(text) from error
    connection, name = open_bus()
    return Session(connection, dialect, timeout=timeout, unique_name=name)


def _open_private(path: str) -> Connection:
    return Connection(open_link(path, HANDSHAKE_TIMEOUT), MANAGER_GONE)


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
