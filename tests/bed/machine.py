"""The inside of a node: what its disk holds, what is mounted, and its first process.

A node sees the host's programs through an overlay and nothing else of the host: not its
configuration of systemd, its enabled services, homes, journal, network or processes. Whatever the
node writes goes to a directory of its own, which survives a power cut (boot the node again and its
disk is as it was).

Everything here runs in a forked process on its way to become the node's PID 1. The order matters:
the process enters its cgroup before it unshares the cgroup namespace (a cgroup namespace begins
where the process is), and the host's /proc is used before it is covered.
"""

from __future__ import annotations

import glob
import os
import signal
import socket
import stat
import subprocess

from tests.bed import kernel

INIT = "/lib/systemd/systemd"
BOOT_TARGET = "multi-user.target"
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
}
NOTIFY_SOCKET = "/run/host/notify"
# Where in a node's cgroup those live who enter it from outside. systemd takes controllers into use
# where the host has some, and then no process may live in the topmost cgroup.
GUESTS = "guests"

# Directories of which a node begins with an empty one.
_OPAQUE = (
    "etc/systemd",
    "etc/hirte",
    "home",
    "root",
    "var/lib/systemd",
    "var/log/journal",
    "var/spool/cron",
)
# Files that a node does not have, whether the host has them or not.
_ABSENT = ("usr/bin/hirte", "etc/machine-info", "etc/.pwd.lock")

# What is of no use in a node, or tries to drive hardware that belongs to the host. A unit is
# masked whether it exists or not.
_MASKED = (
    "apt-daily-upgrade.timer",
    "apt-daily.timer",
    "auditd.service",
    "console-getty.service",
    "dev-hugepages.mount",
    "dnf-makecache.timer",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "firewalld.service",
    "fstrim.timer",
    "getty.target",
    "kmod-static-nodes.service",
    "ldconfig.service",
    "logrotate.timer",
    "man-db.timer",
    "modprobe@.service",
    "network-online.target",
    "NetworkManager.service",
    "proc-sys-fs-binfmt_misc.automount",
    "sys-fs-fuse-connections.mount",
    "sys-kernel-config.mount",
    "sys-kernel-debug.mount",
    "sys-kernel-tracing.mount",
    "systemd-ask-password-console.path",
    "systemd-ask-password-wall.path",
    "systemd-binfmt.service",
    "systemd-firstboot.service",
    "systemd-hwdb-update.service",
    "systemd-initctl.socket",
    "systemd-journal-catalog-update.service",
    "systemd-journal-flush.service",
    "systemd-journald-audit.socket",
    "systemd-logind.service",
    "systemd-machine-id-commit.service",
    "systemd-modules-load.service",
    "systemd-network-generator.service",
    "systemd-networkd.service",
    "systemd-networkd.socket",
    "systemd-oomd.service",
    "systemd-oomd.socket",
    "systemd-pcrphase-sysinit.service",
    "systemd-pcrphase.service",
    "systemd-random-seed.service",
    "systemd-remount-fs.service",
    "systemd-repart.service",
    "systemd-resolved.service",
    "systemd-sysctl.service",
    "systemd-timesyncd.service",
    "systemd-tmpfiles-clean.timer",
    "systemd-tmpfiles-setup-dev.service",
    "systemd-udev-trigger.service",
    "systemd-udevd-control.socket",
    "systemd-udevd-kernel.socket",
    "systemd-udevd.service",
    "systemd-update-done.service",
    "systemd-update-utmp-runlevel.service",
    "systemd-update-utmp.service",
    "systemd-vconsole-setup.service",
)
# Generators make units of the host's fstab, init scripts, databases: none of the node's business.
_GENERATORS = ("/lib/systemd", "/usr/local/lib/systemd", "/etc/systemd")

_CONFIGURATION = {
    "etc/fstab": "",
    "etc/resolv.conf": "",
    "etc/systemd/journald.conf": (
        "[Journal]\nStorage=volatile\nRateLimitIntervalSec=0\nReadKMsg=no\nAudit=no\n"
    ),
}
_DEVICES = {
    "null": (1, 3),
    "zero": (1, 5),
    "full": (1, 7),
    "random": (1, 8),
    "urandom": (1, 9),
    "tty": (5, 0),
}


class Plan:
    """What is needed to bring up one node. Paths are those of the keeper's mount namespace."""

    __slots__ = ("address", "cgroup", "directory", "hosts", "name", "notify", "number")

    def __init__(self, name: str, number: int, address: str, place: str, cgroup: str) -> None:
        self.name = name
        self.number = number
        self.address = address
        self.directory = f"{place}/{number}"
        self.notify = f"{self.directory}/notify"
        self.hosts = f"{place}/hosts"
        self.cgroup = cgroup


def become_node(plan: Plan, told: int, tell: int) -> None:
    """Turns the calling, freshly forked process into PID 1 of the node. Does not return.

    `told` and `tell` are pipes from and to the keeper: we write one byte when our network
    namespace exists and read one when a cable is plugged into it; `tell` closes when systemd runs,
    or carries the reason why it does not. The end of `told` means that the keeper is gone.

    Raises OSError, subprocess.CalledProcessError.
    """
    kernel.die_with_parent(signal.SIGKILL)
    with open(f"{plan.cgroup}/cgroup.procs", "w") as procs:
        procs.write("0")
    kernel.unshare(
        kernel.CLONE_NEWNS
        | kernel.CLONE_NEWUTS
        | kernel.CLONE_NEWIPC
        | kernel.CLONE_NEWNET
        | kernel.CLONE_NEWCGROUP
    )
    os.write(tell, b"+")
    upper = f"{plan.directory}/upper"
    if not os.path.exists(upper):
        os.mkdir(f"{plan.directory}/work")
        os.mkdir(f"{plan.directory}/root")
        _furnish(upper, plan.name)
    root = f"{plan.directory}/root"
    _mount_all(root, plan)
    if not os.read(told, 1):
        raise OSError("the keeper is gone")
    _set_address(plan.address)
    kernel.pivot_root(root)
    socket.sethostname(plan.name)
    os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    environment = {
        **ENVIRONMENT,
        "container": "hirte-bed",
        "NOTIFY_SOCKET": NOTIFY_SOCKET,
    }
    os.execve(INIT, [INIT, "--system", f"--unit={BOOT_TARGET}"], environment)


def _furnish(upper: str, name: str) -> None:
    """Lays out what a node's disk holds instead of the host's files."""
    for directory in _OPAQUE:
        os.makedirs(f"{upper}/{directory}")
        os.setxattr(f"{upper}/{directory}", "trusted.overlay.opaque", b"y")
    os.chmod(f"{upper}/root", 0o700)
    units = f"{upper}/etc/systemd/system"
    generators = f"{upper}/etc/systemd/system-generators"
    os.mkdir(units)
    os.mkdir(generators)
    for unit in _MASKED:
        os.symlink("/dev/null", f"{units}/{unit}")
    for place in _GENERATORS:
        for program in glob.glob(f"{place}/system-generators/*"):
            os.symlink("/dev/null", f"{generators}/{os.path.basename(program)}")
    for path in _ABSENT:
        os.makedirs(os.path.dirname(f"{upper}/{path}"), exist_ok=True)
        os.mknod(f"{upper}/{path}", stat.S_IFCHR, os.makedev(0, 0))
    configuration = {
        **_CONFIGURATION,
        "etc/hostname": f"{name}\n",
        "etc/hosts": "",
        "etc/machine-id": os.urandom(16).hex() + "\n",
        # systemd compares the age of these with /usr: nothing was updated.
        "etc/.updated": "",
        "var/.updated": "",
    }
    for path, text in configuration.items():
        with open(f"{upper}/{path}", "w") as file:
            file.write(text)


def _mount_all(root: str, plan: Plan) -> None:
    safe = kernel.MS_NOSUID | kernel.MS_NODEV
    strict = safe | kernel.MS_NOEXEC
    layers = f"lowerdir=/,upperdir={plan.directory}/upper,workdir={plan.directory}/work"
    kernel.mount("overlay", root, "overlay", data=layers)
    kernel.mount("proc", f"{root}/proc", "proc", strict)
    kernel.bind(f"{root}/proc/sys", f"{root}/proc/sys", read_only=True)
    # Read-only: this alone keeps udev from running.
    kernel.mount("sysfs", f"{root}/sys", "sysfs", strict | kernel.MS_RDONLY)
    kernel.mount("cgroup2", f"{root}/sys/fs/cgroup", "cgroup2", strict)
    kernel.mount("tmpfs", f"{root}/run", "tmpfs", safe, "mode=755")
    kernel.mount("tmpfs", f"{root}/tmp", "tmpfs", safe, "mode=1777")
    _mount_dev(f"{root}/dev")
    os.mkdir(f"{root}/run/host")
    with open(f"{root}{NOTIFY_SOCKET}", "w"):
        pass
    kernel.bind(plan.notify, f"{root}{NOTIFY_SOCKET}")
    kernel.bind(plan.hosts, f"{root}/etc/hosts", read_only=True)


def _mount_dev(dev: str) -> None:
    kernel.mount("tmpfs", dev, "tmpfs", kernel.MS_NOSUID, "mode=755")
    for name, number in _DEVICES.items():
        os.mknod(f"{dev}/{name}", stat.S_IFCHR, os.makedev(*number))
        os.chmod(f"{dev}/{name}", 0o666)
    for name in ("pts", "shm", "mqueue"):
        os.mkdir(f"{dev}/{name}")
    kernel.mount("devpts", f"{dev}/pts", "devpts", 0, "newinstance,mode=620,ptmxmode=666,gid=5")
    kernel.mount("tmpfs", f"{dev}/shm", "tmpfs", 0, "mode=1777")
    kernel.mount("mqueue", f"{dev}/mqueue", "mqueue")
    os.symlink("pts/ptmx", f"{dev}/ptmx")
    os.symlink("/proc/self/fd", f"{dev}/fd")
    for fd, name in enumerate(("stdin", "stdout", "stderr")):
        os.symlink(f"/proc/self/fd/{fd}", f"{dev}/{name}")


def _set_address(address: str) -> None:
    ip("link set lo up", f"addr add {address}/24 dev eth0", "link set eth0 up")


def ip(*commands: str) -> None:
    """Runs `ip` on all commands at once, in the network namespace of the caller.

    Raises subprocess.CalledProcessError with what ip says in `stderr`.
    """
    subprocess.run(
        ["ip", "-batch", "-"],
        input="\n".join(commands) + "\n",
        env=ENVIRONMENT,
        check=True,
        capture_output=True,
        text=True,
    )
