"""Every limit on bytes and counts, with its reason.

The limits of the D-Bus specification are upper bounds for everybody; ours are lower where nothing
legitimate comes near them, so that one peer cannot make a small machine run out of memory.
"""

from __future__ import annotations

# D-Bus specification, "Valid Signatures".
SIGNATURE_LENGTH = 255
ARRAY_DEPTH = 32
STRUCT_DEPTH = 32
# D-Bus specification, "Marshaling": containers of all kinds, variants included.
TOTAL_DEPTH = 64
# D-Bus specification, "Marshaling": an array's length excludes the padding before its elements.
ARRAY_BYTES = 1 << 26
# D-Bus specification, "Message Format".
MESSAGE_BYTES = 1 << 27
# D-Bus specification, "Valid Names".
NAME_LENGTH = 255

# All header fields together. The longest legitimate header carries a unit's object path (a unit
# name has at most 255 bytes, escaping triples it) and five names of 255 bytes.
HEADER_FIELDS_BYTES = 1 << 14

# dbus-daemon(1), max_message_size of the system bus: it disconnects who sends more.
BUS_MESSAGE_BYTES = 1 << 25
# From an agent that has registered: ListUnits of 20 000 units is about 4 MiB.
REGISTERED_MESSAGE_BYTES = 1 << 24
# From somebody who has not registered yet: `Register` needs less than 512 bytes.
UNREGISTERED_MESSAGE_BYTES = 1 << 12
# Answers that wait for somebody who has not registered yet: a dozen introspections. With as many
# connections of strangers as the manager holds, that is 128 MiB.
UNREGISTERED_QUEUE_BYTES = 1 << 16

# A line of the authentication. libdbus allows 16 KiB for all of it; the longest that hirte
# understands is AUTH EXTERNAL with a hexadecimal user id.
SASL_LINE_BYTES = 512
# A client needs four lines; the rest is room to try mechanisms that are refused.
SASL_LINES = 16

# Entries of the tables that remember validated names. A fleet of 100 nodes uses a few hundred; a
# peer that invents names only makes the table start again.
CACHE_ENTRIES = 1024
# Longer names are validated every time. A unit's object path has at most 799 bytes.
CACHE_NAME_BYTES = 1024
# Entries of the tables that remember signatures. hirte's interfaces and the properties of units
# have about a hundred; the longest is shorter than 20 bytes. One that is parsed and compiled takes
# up to 300 bytes of memory for each of its own, so a peer can make the tables grow to 2 MiB.
CACHE_SIGNATURES = 128
CACHE_SIGNATURE_BYTES = 48
# Entries of the table that remembers whole headers, and the longest that is worth it: together at
# most 400 KiB, if a peer tries hard; an idle fleet needs a few dozen of 150 bytes.
CACHE_HEADERS = 512
CACHE_HEADER_BYTES = 512
