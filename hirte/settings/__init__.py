"""Settings of manager and agent: one table of options, its readers, who wins.

`load(ManagerSettings, argv, os.environ)` is the way in.
"""

from __future__ import annotations

from hirte.settings.errors import Answer, ConfigError
from hirte.settings.load import load
from hirte.settings.table import AgentSettings, ManagerSettings, NodeSettings

__all__ = [
    "AgentSettings",
    "Answer",
    "ConfigError",
    "ManagerSettings",
    "NodeSettings",
    "load",
]
