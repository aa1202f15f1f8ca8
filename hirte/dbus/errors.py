"""The standard D-Bus error names that hirte answers with."""

from __future__ import annotations

_PREFIX = "org.freedesktop.DBus.Error."

ACCESS_DENIED = _PREFIX + "AccessDenied"
ADDRESS_IN_USE = _PREFIX + "AddressInUse"
FAILED = _PREFIX + "Failed"
INCONSISTENT_MESSAGE = _PREFIX + "InconsistentMessage"
INVALID_ARGS = _PREFIX + "InvalidArgs"
LIMITS_EXCEEDED = _PREFIX + "LimitsExceeded"
NO_REPLY = _PREFIX + "NoReply"
PROPERTY_READ_ONLY = _PREFIX + "PropertyReadOnly"
SERVICE_UNKNOWN = _PREFIX + "ServiceUnknown"
UNKNOWN_INTERFACE = _PREFIX + "UnknownInterface"
UNKNOWN_METHOD = _PREFIX + "UnknownMethod"
UNKNOWN_OBJECT = _PREFIX + "UnknownObject"
UNKNOWN_PROPERTY = _PREFIX + "UnknownProperty"
