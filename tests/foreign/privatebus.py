"""A dbus-daemon of the tests' own that plays the system bus, and a client of it made of sd-bus.

Everybody may own and call everything on it: who may do what on a real system bus is tested on
nodes, with the policy files that are installed there.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .messages import Record
from .peers import PEER, Peer

_CONFIGURATION = """\
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <listen>unix:path={path}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <allow own="*"/>
    <allow send_type="method_call"/>
    <allow send_destination="*" eavesdrop="true"/>
    <allow receive_type="method_call"/>
    <allow eavesdrop="true"/>
  </policy>
</busconfig>
"""

BUS = "org.freedesktop.DBus"
BUS_PATH = "/org/freedesktop/DBus"
PROPERTIES = "org.freedesktop.DBus.Properties"


@contextlib.contextmanager
def private_bus(directory: Path) -> Iterator[str]:
    """Run a dbus-daemon with its socket in `directory` and give its address."""
    configuration = directory / "bus.conf"
    configuration.write_text(_CONFIGURATION.format(path=directory / "bus"))
    reading, writing = os.pipe()
    daemon = subprocess.Popen(
        [
            "dbus-daemon",
            "--nofork",
            "--nopidfile",
            f"--config-file={configuration}",
            f"--print-address={writing}",
        ],
        pass_fds=[writing],
    )
    os.close(writing)
    try:
        with os.fdopen(reading) as told:
            address = told.readline().strip()
        if not address:
            raise RuntimeError(f"dbus-daemon ended with {daemon.wait()}")
        yield address
    finally:
        daemon.terminate()
        daemon.wait()


class BusClient(Peer):
    """Somebody on a message bus. Signals come only for `listen`ed-to names."""

    def __init__(self, address: str) -> None:
        super().__init__(ignore=("NameAcquired", "NameLost"))
        self._fresh_bus().join(address)

    def ask(self, destination: str, path: str, interface: str, member: str, *arguments: Any) -> int:
        """Send a call, `arguments` being a signature and its values; the serial is for `answer`."""
        return self.call(path, interface, member, *arguments, destination=destination)

    def result(
        self, destination: str, path: str, interface: str, member: str, *arguments: Any
    ) -> Any:
        """Call and give the single value of the answer (None if it has none); errors fail."""
        serial = self.ask(destination, path, interface, member, *arguments)
        answer = self.answer(serial)
        self.forget(serial)
        if answer.kind == "error":
            raise AssertionError(f"{member} was answered with {answer.error}: {answer.body}")
        return answer.body[0] if answer.body else None

    def get(self, destination: str, path: str, interface: str, name: str) -> Any:
        """Read a property."""
        return self.result(destination, path, PROPERTIES, "Get", "ss", interface, name)[1]

    def listen(self, sender: str, root: str) -> None:
        """Receive the signals that a bus name sends from the object `root` or below it."""
        rule = f"type='signal',sender='{sender}',path_namespace='{root}'"
        self.result(BUS, BUS_PATH, BUS, "AddMatch", "s", rule)

    def arrived(self, destination: str) -> list[Record]:
        """All that arrived so far, up to what `destination` had sent to the bus before now."""
        serial = self.call("/", PEER, "Ping", destination=destination)
        self.answer(serial)
        self.forget(serial)
        return self.history()
