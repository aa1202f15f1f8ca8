"""`hirte agent`: wire the agent to systemd, the manager, the bus and the service manager."""

from __future__ import annotations

import os

from hirte.agent.agent import Agent
from hirte.agent.systemd import Systemd
from hirte.api.dialect import CHOICES
from hirte.dbus.presence import Presence
from hirte.modes.common import run_with, tcp_options
from hirte.runtime.daemon import Daemon, machine_id
from hirte.runtime.dial import SYSTEMD_PRIVATE, Dial
from hirte.runtime.resolve import resolve
from hirte.settings.table import AgentSettings
from hirte.wire.address import system_bus, user_bus

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from hirte.runtime.log import Log


def main(argv: Sequence[str], program: str) -> int:
    """Run the agent until it is told to stop; return the exit code."""
    return run_with(AgentSettings, argv, program, lambda *given: _Process(*given).run())


class _Process:
    def __init__(self, settings: AgentSettings, log: Log) -> None:
        self._daemon = daemon = Daemon(log, os.environ)
        loop = daemon.loop
        bus = user_bus(os.environ, os.getuid()) if settings.user else system_bus(os.environ)
        directly = os.getuid() == 0 and not settings.user
        options = tcp_options(settings)
        presence = Presence(
            lambda done: Dial(loop, log, bus, done, "the bus", trusted=True),
            [dialect.agent_bus_name for dialect in CHOICES[settings.bus_names]],
            loop,
            log,
            None if settings.user else os.getuid(),
        )
        systemd = Systemd(
            lambda done: Dial(
                loop, log, SYSTEMD_PRIVATE if directly else bus, done, "systemd", trusted=True
            ),
            not directly,
            loop,
            log,
        )
        self._agent = Agent(
            settings,
            loop,
            log,
            machine_id,
            presence,
            systemd,
            lambda address, done: Dial(loop, log, address, done, "the manager", options=options),
            lambda host, done: resolve(loop, host, done),
            lambda: daemon.ready("Following systemd"),
            daemon.fail,
        )
        daemon.on_stop = self._agent.shut_down

    def run(self) -> int:
        self._agent.start()
        return self._daemon.run()
