"""The public interfaces, in native names: what a state manager calls and hears."""

from __future__ import annotations

from hirte.api.table import CONST, EMITS, EXPLICIT, Interface, Method, Property, Signal

MANAGER = Interface(
    "Manager",
    methods=(
        Method("ListUnits", "", "units:a{sa(ssssssouso)}"),
        Method("ListUnitFiles", "", "unitfiles:a{sa(ss)}"),
        Method("ListNodes", "", "nodes:a(soss)"),
        Method("GetNode", "name:s", "path:o"),
        Method("CreateMonitor", "", "monitor:o"),
        Method("SetLogLevel", "loglevel:s"),
        Method("EnableMetrics"),
        Method("DisableMetrics"),
    ),
    signals=(
        Signal("JobNew", "id:u job:o"),
        Signal("JobRemoved", "id:u job:o node:s unit:s result:s"),
    ),
    properties=(
        Property("Status", "s", EMITS),
        Property("LogLevel", "s", EXPLICIT),
        Property("LogTarget", "s", CONST),
    ),
)

# Methods of a node that systemd's Manager has too: they go down to it, arguments and results
# unread, through the agent's method of the same name.
TO_SYSTEMD = (
    Method(
        "StartTransientUnit",
        "name:s mode:s properties:a(sv) aux:a(sa(sv))",
        "job:o",
        forward=True,
    ),
    Method("KillUnit", "name:s whom:s signal:i", forward=True),
    Method(
        "EnableUnitFiles",
        "files:as runtime:b force:b",
        "carries_install_info:b changes:a(sss)",
        forward=True,
    ),
    Method("DisableUnitFiles", "files:as runtime:b", "changes:a(sss)", forward=True),
    Method("GetUnitFileState", "file:s", "state:s", forward=True),
    Method("ListUnits", "", "units:a(ssssssouso)", forward=True),
    Method("ListUnitFiles", "", "unitfiles:a(ss)", forward=True),
    Method("Reload", forward=True),
    Method("ResetFailed", forward=True),
    Method("ResetFailedUnit", "name:s", forward=True),
    Method("GetDefaultTarget", "", "defaulttarget:s", forward=True),
    Method("SetDefaultTarget", "defaulttarget:s force:b", "changes:a(sss)", forward=True),
)

NODE = Interface(
    "Node",
    methods=(
        Method("StartUnit", "name:s mode:s", "job:o"),
        Method("StopUnit", "name:s mode:s", "job:o"),
        Method("RestartUnit", "name:s mode:s", "job:o"),
        Method("ReloadUnit", "name:s mode:s", "job:o"),
        Method("FreezeUnit", "name:s", forward=True),
        Method("ThawUnit", "name:s", forward=True),
        Method("GetUnitProperties", "name:s interface:s", "props:a{sv}", forward=True),
        Method("GetUnitProperty", "name:s interface:s property:s", "value:v", forward=True),
        Method("SetUnitProperties", "name:s runtime:b keyvalues:a(sv)", forward=True),
        *TO_SYSTEMD,
        Method("SetLogLevel", "level:s"),
    ),
    properties=(
        Property("Name", "s", CONST),
        Property("Status", "s", EMITS),
        Property("PeerIp", "s", EXPLICIT),
        Property("LastSeenTimestamp", "t", EXPLICIT),
        Property("LastSeenTimestampMonotonic", "t", EXPLICIT),
    ),
)

# The methods of Node that make a Job, and the job's type as the Job interface tells it.
JOB_TYPES = {
    "StartUnit": "start",
    "StopUnit": "stop",
    "RestartUnit": "restart",
    "ReloadUnit": "reload",
}

JOB = Interface(
    "Job",
    methods=(Method("Cancel"),),
    properties=(
        Property("Id", "u", CONST),
        Property("Node", "s", CONST),
        Property("Unit", "s", CONST),
        Property("JobType", "s", CONST),
        Property("State", "s", EMITS),
    ),
)

MONITOR = Interface(
    "Monitor",
    methods=(
        Method("Subscribe", "node:s unit:s", "id:u"),
        Method("SubscribeList", "node:s units:as", "id:u"),
        Method("Unsubscribe", "id:u"),
        Method("AddPeer", "name:s", "id:u"),
        Method("RemovePeer", "id:u reason:s"),
        Method("Close"),
    ),
    signals=(
        Signal("UnitNew", "node:s unit:s reason:s"),
        Signal("UnitStateChanged", "node:s unit:s active_state:s substate:s reason:s"),
        Signal("UnitPropertiesChanged", "node:s unit:s interface:s props:a{sv}"),
        Signal("UnitRemoved", "node:s unit:s reason:s"),
        Signal("PeerRemoved", "reason:s"),
    ),
)

METRICS = Interface(
    "Metrics",
    signals=(
        Signal(
            "StartUnitJobMetrics",
            "node_name:s job_id:s unit:s job_measured_time_micros:t unit_start_prop_time_micros:t",
        ),
        Signal("AgentJobMetrics", "node_name:s unit:s method:s systemd_job_time_micros:t"),
    ),
)

AGENT = Interface(
    "Agent",
    methods=(
        Method("SwitchManager", "dbus_address:s"),
        Method("JobCancel", "id:u"),
    ),
    properties=(
        Property("Status", "s", EMITS),
        Property("LogLevel", "s", EXPLICIT),
        Property("LogTarget", "s", CONST),
        Property("DisconnectTimestamp", "t", EXPLICIT),
        Property("DisconnectTimestampMonotonic", "t", EXPLICIT),
        Property("LastSeenTimestamp", "t", EXPLICIT),
        Property("LastSeenTimestampMonotonic", "t", EXPLICIT),
        Property("ManagerAddress", "s", EMITS),
    ),
)
