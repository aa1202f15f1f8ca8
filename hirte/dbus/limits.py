"""Every limit on time, texts and open requests, with its reason."""

from __future__ import annotations

# How long an answer may take before the caller gets NoReply, manager to agent and agent to
# systemd alike: the reference's value, a little more than libsystemd's default of 25 s.
CALL_TIMEOUT = 30.0

# Calls that one connection may leave unanswered at a time. dbus-daemon allows 128 per
# connection; a manager may have that many callers, so this only stops what runs away.
PENDING_CALLS = 1 << 15

# Characters of an error's text, which may quote the caller: a name of many MiB must not come back
# as a message that the bus throws us out for. Nobody reads more.
ERROR_TEXT = 1000

# Names that are watched by a match of their own, so that other names' changes do not wake us. From
# then on one match hears of all: dbus-daemon refuses the 513th (max_match_rules_per_connection).
OWNER_MATCHES = 400

# Callers whose user is remembered. A unique name is never used twice during a bus's life.
KNOWN_CALLERS = 512
