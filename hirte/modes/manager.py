"""`hirte manager`: wire the manager to the bus, the listeners and the service manager."""

from __future__ import annotations

import os

from hirte.api.dialect import CHOICES
from hirte.dbus.connection import Connection
from hirte.dbus.presence import Presence
from hirte.manager.manager import Manager
from hirte.modes.common import run_with, tcp_options
from hirte.runtime.activation import ActivationError, inherited_listener
from hirte.runtime.daemon import Daemon, machine_id, random_guid
from hirte.runtime.dial import Dial
from hirte.runtime.listener import Listener, ListenError, open_listeners, private_socket
from hirte.settings.option import COMPATIBLE, NATIVE
from hirte.settings.table import ManagerSettings
from hirte.wire.address import system_bus
from hirte.wire.sasl import Server

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from hirte.runtime.log import Log
    from hirte.runtime.stream import Stream

# Where the tmpfiles entry makes the directory, and agents on the same machine look.
SOCKET_PATHS = {NATIVE: "/run/hirte/hirte.sock", COMPATIBLE: "/run/bluechi/bluechi.sock"}
# The public API for root, without a bus in between, as systemd has it.
PRIVATE_PATHS = {NATIVE: "/run/hirte/private", COMPATIBLE: "/run/bluechi/private"}


def main(argv: Sequence[str], program: str) -> int:
    """Run the manager until it is told to stop; return the exit code."""
    return run_with(ManagerSettings, argv, program, lambda *given: _Process(*given).run())


class _Process:
    def __init__(self, settings: ManagerSettings, log: Log) -> None:
        self._settings = settings
        self._daemon = Daemon(log, os.environ)
        self._listeners: list[Listener] = []
        self._presence = Presence(
            lambda done: Dial(
                self._daemon.loop,
                log,
                system_bus(os.environ),
                done,
                "the system bus",
                trusted=True,
                is_outlet=True,
            ),
            [dialect.bus_name for dialect in CHOICES[settings.bus_names]],
            self._daemon.loop,
            log,
            os.getuid(),
        )
        self._presence.on_up = self._on_bus
        self._presence.on_refused = self._daemon.fail
        self._manager = Manager(
            settings,
            self._daemon.loop,
            log,
            machine_id,
            self._presence,
        )
        self._daemon.on_stop = self._stop

    def run(self) -> int:
        self._presence.start(self._manager.tree)
        return self._daemon.run()

    def _on_bus(self) -> None:
        if self._listeners:
            return
        settings = self._settings
        try:
            self._listeners = open_listeners(
                self._daemon.loop,
                inherited_listener(os.environ),
                settings.manager_port if settings.use_tcp else None,
                SOCKET_PATHS[settings.dialect] if settings.use_uds else None,
                tcp_options(settings),
                self._accept,
            )
            if settings.metrics_socket:
                self._open_metrics_socket(settings.metrics_socket)
        except (ActivationError, ListenError) as error:
            self._daemon.fail(str(error))
            return
        self._open_private_socket()
        self._daemon.ready(f"Managing {len(settings.nodes)} nodes")

    def _open_private_socket(self) -> None:
        path = PRIVATE_PATHS[self._settings.dialect]
        try:
            sock = private_socket(path)
        except ListenError as error:
            self._daemon.log.warning(f"The manager is reached over the bus only: {error}")
            return
        listener = Listener(
            self._daemon.loop, sock, tcp_options(self._settings), self._welcome, path
        )
        self._listeners.append(listener)

    def _open_metrics_socket(self, path: str) -> None:
        # Before the first agent comes, who is asked to measure when it registers.
        from hirte.manager.openmetrics import CONTENT_TYPE, OpenMetrics
        from hirte.runtime import http

        view = OpenMetrics(self._manager, self._presence, self._daemon.loop)
        server = http.Server(self._daemon.loop, CONTENT_TYPE, view.text)
        listener = Listener(
            self._daemon.loop,
            private_socket(path),
            tcp_options(self._settings),
            server.accept,
            path,
        )
        self._listeners.append(listener)

    def _welcome(self, stream: Stream, unix: bool) -> None:
        if stream.peer_uid() not in (0, os.getuid()):
            stream.close()
            return
        connection = self._connection(stream, unix)
        stream.start(connection)
        self._manager.welcome(connection)

    def _connection(self, stream: Stream, unix: bool) -> Connection:
        connection = Connection(
            Server(random_guid(), unix),
            self._daemon.loop,
            self._daemon.log,
            stream.peer_ip or "a local peer",
        )
        connection.attach(stream)
        return connection

    def _accept(self, stream: Stream, unix: bool) -> None:
        connection = self._connection(stream, unix)
        stream.start(connection, is_patient=True)
        self._manager.accept(connection)

    def _stop(self) -> None:
        for listener in self._listeners:
            listener.close()
        self._manager.shut_down()
