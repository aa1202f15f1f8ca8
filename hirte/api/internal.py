"""The interfaces between manager and agent, in native names."""

from __future__ import annotations

from hirte.api.public import TO_SYSTEMD
from hirte.api.table import Interface, Method, Signal

# Object paths relative to the dialect's root.
MANAGER_PATH = "internal"
AGENT_PATH = "internal/agent"

MANAGER = Interface(
    "internal.Manager",
    methods=(Method("Register", "name:s"),),
    signals=(Signal("Heartbeat"),),
)

AGENT_METRICS_PATH = AGENT_PATH + "/metrics"

AGENT = Interface(
    "internal.Agent",
    methods=(
        Method("StartUnit", "name:s mode:s id:u"),
        Method("StopUnit", "name:s mode:s id:u"),
        Method("RestartUnit", "name:s mode:s id:u"),
        Method("ReloadUnit", "name:s mode:s id:u"),
        Method("JobCancel", "id:u"),
        *TO_SYSTEMD,
        Method("SetUnitProperties", "name:s runtime:b keyvalues:a(sv)"),
        Method("FreezeUnit", "name:s"),
        Method("ThawUnit", "name:s"),
        Method("GetUnitProperties", "name:s interface:s", "props:a{sv}"),
        Method("GetUnitProperty", "name:s interface:s property:s", "value:v"),
        Method("SetLogLevel", "level:s"),
        Method("Subscribe", "unit:s"),
        Method("Unsubscribe", "unit:s"),
        Method("EnableMetrics"),
        Method("DisableMetrics"),
    ),
    signals=(
        Signal("JobStateChanged", "id:u state:s"),
        Signal("JobDone", "id:u result:s"),
        Signal("UnitNew", "unit:s reason:s"),
        Signal("UnitStateChanged", "unit:s active_state:s substate:s reason:s"),
        Signal("UnitPropertiesChanged", "unit:s interface:s props:a{sv}"),
        Signal("UnitRemoved", "unit:s"),
        Signal("Heartbeat"),
    ),
)

AGENT_METRICS = Interface(
    "internal.Agent.Metrics",
    signals=(Signal("AgentJobMetrics", "unit:s method:s systemd_job_time_micros:t"),),
)
JOB_METRICS = AGENT_METRICS.signals["AgentJobMetrics"].signature
