"""What each row of the public interfaces means, one line each, for docs/api.md.

Here and not in the tables: the daemons read those, and would carry these words in memory. A test
holds that every row has its line. Members of the native dialect are named.
"""

from __future__ import annotations

INTERFACES = {
    "Manager": (
        "",
        "The fleet as a whole: its nodes, the lists of all their units, the ends of all jobs.",
    ),
    "Node": (
        "node/NAME",
        "A configured node, online or not. NAME is escaped: bytes other than letters and, behind "
        "the first, digits become `_` and two hexadecimal digits. Unless noted, a method does what "
        "the method of the same name of the node's systemd does, with its arguments, answers and "
        "errors. While the node is offline every call is answered by the error `Offline`; its "
        "properties stay readable.",
    ),
    "Job": (
        "job/ID",
        "A start, stop, restart or reload that the node has accepted; there from just before "
        "JobNew until JobRemoved.",
    ),
    "Monitor": (
        "monitor/ID",
        "Who hears of which units. Its signals go to the program that made it and to its peers, "
        "one by one, and to nobody else. It ends with Close, or when its owner leaves the bus.",
    ),
    "Metrics": (
        "metrics",
        "How long jobs took; there only while metrics are enabled.",
    ),
    "Agent": (
        "",
        "The agent of a node, on that node's own bus (of the system, or of the user for "
        "`hirte agent --user`), under the agent's bus name.",
    ),
}

ROWS = {
    "Manager.ListUnits": "Loaded units of all nodes that are online, by node name: "
    "systemd's own rows (name, description, load, active and sub state, followed unit, object "
    "path, and of the queued job its id or 0, type and path).",
    "Manager.ListUnitFiles": "Unit files of all nodes that are online, by node name: path and "
    "state.",
    "Manager.ListNodes": "All configured nodes, in the order of the configuration: name, object "
    "path, `online` or `offline`, IP address of the agent or nothing.",
    "Manager.GetNode": "The object path of a configured node. Error: `ServiceUnknown`.",
    "Manager.CreateMonitor": "Makes a monitor that belongs to the caller.",
    "Manager.SetLogLevel": "Until the manager ends: `DEBUG`, `INFO`, `WARN` or `ERROR`. "
    "Error: `InvalidArgs`.",
    "Manager.EnableMetrics": "Begins to measure jobs on all nodes. Error: "
    "`InconsistentMessage` if that is so already.",
    "Manager.DisableMetrics": "Ends it. Error: `InconsistentMessage` if metrics are off.",
    "Manager.JobNew": "A node has accepted a job. Sent before the caller gets the job's path.",
    "Manager.JobRemoved": "A job has ended: `done`, `failed`, `canceled`, `timeout`, `dependency`, "
    "`skipped` or another word of systemd; `failed` also when its node was lost; `cancelled due to "
    "shutdown` when the manager stops. Every job ends with exactly one.",
    "Manager.Status": "`up`: all configured nodes are online; `down`: none is; `degraded`: some "
    "are. A change from `degraded` to `degraded` is not told.",
    "Manager.LogLevel": "The manager's log level.",
    "Manager.LogTarget": "`journald`, `stderr` or `stderr-full`.",
    "Node.StartUnit": "Starts a unit. `mode` is systemd's: `replace`, `fail`, `isolate`, ... Wait "
    "for JobRemoved, listening to it before the call.",
    "Node.StopUnit": "Stops a unit; a job as StartUnit.",
    "Node.RestartUnit": "Stops and starts a unit, or just starts it; a job as StartUnit.",
    "Node.ReloadUnit": "Lets a unit reload its configuration; a job as StartUnit.",
    "Node.StartTransientUnit": "Makes a unit out of properties and starts it. The job's path is "
    "systemd's on the node: there is no Job object and no signal for it.",
    "Node.FreezeUnit": "Suspends all processes of a unit.",
    "Node.ThawUnit": "Lets a frozen unit go on.",
    "Node.KillUnit": "Sends a signal to processes of a unit: `main`, `control` or `all`.",
    "Node.GetUnitProperties": "All properties of a unit's interface, for example "
    "`org.freedesktop.systemd1.Unit`, or of all interfaces if it is empty. A unit that does not "
    "exist has properties, too: `LoadState` is `not-found`.",
    "Node.GetUnitProperty": "One property of a unit.",
    "Node.SetUnitProperties": "Changes properties of a unit, until the next boot if `runtime`.",
    "Node.EnableUnitFiles": "Enables unit files, until the next boot if `runtime`, over existing "
    "links if `force`. Tells whether they have an [Install] section, and what was changed: "
    "`symlink` or `unlink`, the link, what it leads to.",
    "Node.DisableUnitFiles": "Removes the links that enable unit files; tells what was changed.",
    "Node.GetUnitFileState": "Whether a unit file is `enabled`, `disabled`, `static`, `masked`, "
    "...",
    "Node.ListUnits": "The node's loaded units, as in Manager.ListUnits.",
    "Node.ListUnitFiles": "The node's unit files: path and state.",
    "Node.Reload": "Lets systemd read all unit files again (daemon-reload).",
    "Node.ResetFailed": "Resets the `failed` state of all units.",
    "Node.ResetFailedUnit": "Resets the `failed` state of one unit.",
    "Node.GetDefaultTarget": "The target that the node boots into.",
    "Node.SetDefaultTarget": "Changes it, over an existing link if `force`; tells what was "
    "changed.",
    "Node.SetLogLevel": "The log level of the node's agent, until it ends. Error: `InvalidArgs`.",
    "Node.Name": "The node's name, as it is configured.",
    "Node.Status": "`online` or `offline`.",
    "Node.PeerIp": "The IP address of the agent, IPv4 as `::ffff:192.0.2.7`; empty when offline or "
    "on a Unix socket.",
    "Node.LastSeenTimestamp": "When the agent registered or sent its last heartbeat, in "
    "microseconds since 1970; 0 for never.",
    "Node.LastSeenTimestampMonotonic": "The same on the manager's monotonic clock.",
    "Job.Cancel": "Asks the node to cancel the job, and answers at once; JobRemoved tells what "
    "has become of it.",
    "Job.Id": "The job's number, as in its path and its signals.",
    "Job.Node": "The name of the node.",
    "Job.Unit": "The name of the unit.",
    "Job.JobType": "`start`, `stop`, `restart` or `reload`.",
    "Job.State": "`waiting` or `running`.",
    "Monitor.Subscribe": "To one unit of one node; each may be `*` for all. Names are not globs. "
    "What is loaded already is told with the reason `virtual`, before or after the answer; `*` "
    "alone tells of no units that are there.",
    "Monitor.SubscribeList": "To several units of one node, or of all nodes with `*`.",
    "Monitor.Unsubscribe": "Ends one of this monitor's subscriptions. Error: `Failed`.",
    "Monitor.AddPeer": "Lets somebody else hear all signals of this monitor, by his unique bus "
    "name. Errors: `InvalidArgs` if it is none, or listens already.",
    "Monitor.RemovePeer": "Ends that; the peer is told the reason. Error: `Failed`.",
    "Monitor.Close": "Ends the monitor; its peers are told.",
    "Monitor.UnitNew": "A unit was loaded. `reason` is `real`, or `virtual` when it was loaded "
    "before.",
    "Monitor.UnitStateChanged": "The active or sub state of a unit is another one; "
    "`inactive`, `agent-offline`, `virtual` when its node was lost.",
    "Monitor.UnitPropertiesChanged": "Properties of a unit's interface have changed, with their "
    "new values.",
    "Monitor.UnitRemoved": "A unit was unloaded, or, with the reason `virtual`, its node was lost.",
    "Monitor.PeerRemoved": "To a peer alone: it hears nothing of this monitor any more.",
    "Metrics.StartUnitJobMetrics": "A job that started a unit has ended: how long it took the "
    "manager, from the request to its end, and how long the unit itself. `job_id` is the job's "
    "object path.",
    "Metrics.AgentJobMetrics": "A job has ended: how long systemd worked on it, as the agent saw "
    "it. `method` is `StartUnit`, `StopUnit`, `RestartUnit` or `ReloadUnit`. Sent before "
    "JobRemoved.",
    "Agent.SwitchManager": "Leaves the manager for the one at a D-Bus address, such as "
    "`tcp:host=192.0.2.1,port=842`, until the agent ends. Error: `Failed` if it is the present "
    "one.",
    "Agent.JobCancel": "Cancels a job by the manager's id of it. Error: `Failed`.",
    "Agent.Status": "`online` while registered with a manager, else `offline`.",
    "Agent.LogLevel": "The agent's log level.",
    "Agent.LogTarget": "`journald`, `stderr` or `stderr-full`.",
    "Agent.DisconnectTimestamp": "When the manager was lost, in microseconds since 1970; 0 while "
    "it is connected, and before the first loss.",
    "Agent.DisconnectTimestampMonotonic": "The same on the monotonic clock.",
    "Agent.LastSeenTimestamp": "When the agent registered or heard the last heartbeat of its "
    "manager, in microseconds since 1970; 0 for never.",
    "Agent.LastSeenTimestampMonotonic": "The same on the monotonic clock.",
    "Agent.ManagerAddress": "The D-Bus address of the manager that is or will be connected to.",
}
