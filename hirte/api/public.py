"""The public interfaces, in native names: what a state manager calls and hears."""

from __future__ import annotations

from hirte.api.table import CONST, EMITS, EXPLICIT, Interface, Method, Property, Signal

UNITS = "a(ssssssouso)"

MANAGER = Interface(
    "Manager",
    methods=(
        Method("ListUnits", "", "units:a{sa(ssssssouso)}"),
        Method("ListNodes", "", "nodes:a(soss)"),
        Method("GetNode", "name:s", "path:o"),
        Method("SetLogLevel", "loglevel:s"),
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

NODE = Interface(
    "Node",
    methods=(
        Method("StartUnit", "name:s mode:s", "job:o"),
        Method("StopUnit", "name:s mode:s", "job:o"),
        Method("RestartUnit", "name:s mode:s", "job:o"),
        Method("ReloadUnit", "name:s mode:s", "job:o"),
        Method("ListUnits", "", "units:a(ssssssouso)", forward=True),
        Method("GetUnitProperties", "name:s interface:s", "props:a{sv}", forward=True),
        Method("GetUnitProperty", "name:s interface:s property:s", "value:v", forward=True),
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
