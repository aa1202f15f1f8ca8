"""The units that the fleet tests play with, each good for one kind of ending."""

from __future__ import annotations

_SLEEP = "ExecStart=/usr/bin/sleep infinity\n"

UNITS = {
    # Runs until it is stopped.
    "stay.service": f"[Service]\n{_SLEEP}ExecReload=/usr/bin/true\n",
    # Ends at once, well.
    "quick.service": "[Service]\nType=oneshot\nExecStart=/usr/bin/true\n",
    # Ends at once, badly.
    "bad.service": "[Service]\nType=oneshot\nExecStart=/usr/bin/false\n",
    "worse.service": "[Service]\nType=oneshot\nExecStart=/usr/bin/false\n",
    # Its start lasts until somebody ends it.
    "held.service": f"[Service]\nType=oneshot\n{_SLEEP}",
    # Its start lasts longer than it may.
    "late.service": f"[Unit]\nJobRunningTimeoutSec=100ms\n[Service]\nType=oneshot\n{_SLEEP}",
    # It runs at once, but neither its reload nor its stop ever ends.
    "slow.service": f"[Service]\n{_SLEEP}ExecReload=/usr/bin/sleep infinity\n"
    "ExecStop=/usr/bin/sleep infinity\nTimeoutSec=infinity\n",
    # Needs one that ends badly.
    "needy.service": "[Unit]\nRequires=bad.service\nAfter=bad.service\n"
    "[Service]\nType=oneshot\nExecStart=/usr/bin/true\n",
    # Does not start because its condition is not met.
    "choosy.service": "[Unit]\nConditionPathExists=/nowhere\n[Service]\nExecStart=/usr/bin/true\n",
    # Can be enabled.
    "wanted.service": f"[Service]\n{_SLEEP}[Install]\nWantedBy=multi-user.target\n",
    # Any number of them.
    "one@.service": "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/usr/bin/true\n",
    # Waits for its turn behind the one whose start lasts.
    "behind.service": "[Unit]\nAfter=held.service\n[Service]\nType=oneshot\n"
    "ExecStart=/usr/bin/true\n",
}
