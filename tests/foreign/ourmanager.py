"""Our manager, the real process: on a private bus, with a listening socket that it is passed."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

PROGRAM = Path(__file__).parents[2] / "hirte.py"

# Far more than it needs, also on a loaded machine
START = 15.0
STOP = 15.0

_FIRST_PASSED = 3


class OurManager:
    """The running process."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def terminate(self) -> int:
        """Send SIGTERM and give the exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(STOP)

    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None


@contextlib.contextmanager
def our_manager(
    directory: Path, bus: str, listener: socket.socket, *settings: str
) -> Iterator[OurManager]:
    """Run `hirte manager` until the end of the block; it is given when it says that it is ready."""
    configuration = directory / "hirte.conf"
    lines = ("[hirte]", "BusNames=both", "UseTCP=false", "UseUDS=false", "LogTarget=stderr")
    configuration.write_text("\n".join([*lines, *settings, ""]))
    command = (sys.executable, str(PROGRAM), "manager", "-c", str(configuration))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.bind(str(directory / "notify"))
        process = subprocess.Popen(
            # LISTEN_PID must be the manager's own: the shell becomes the manager
            ["/bin/sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh", *command],
            env={
                "PATH": os.environ["PATH"],
                "DBUS_SYSTEM_BUS_ADDRESS": bus,
                "NOTIFY_SOCKET": str(directory / "notify"),
                "LISTEN_FDS": "1",
            },
            preexec_fn=lambda: os.dup2(listener.fileno(), _FIRST_PASSED),
            pass_fds=(_FIRST_PASSED,),
        )
        try:
            _wait_until_ready(process, told)
            yield OurManager(process)
        finally:
            if process.poll() is None:
                process.terminate()
            try:
                process.wait(STOP)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise


def _wait_until_ready(process: subprocess.Popen[bytes], told: socket.socket) -> None:
    """Wait for READY=1; an end of the process is seen through its pidfd."""
    deadline = time.monotonic() + START
    ended = os.pidfd_open(process.pid)
    try:
        while True:
            left = max(0.0, deadline - time.monotonic())
            ready = select.select([told.fileno(), ended], [], [], left)[0]
            if told.fileno() in ready:
                if b"READY=1" in told.recv(4096).split(b"\n"):
                    return
            elif ready:
                raise AssertionError(f"the manager ended with {process.wait()} at its start")
            else:
                raise AssertionError(f"the manager was not ready within {START} s")
    finally:
        os.close(ended)
