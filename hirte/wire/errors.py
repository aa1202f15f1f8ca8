"""Whose fault it is, said by the type of the exception.

A :class:`PeerError` is answered by closing the peer's connection. A :class:`EncodeError` is the
fault of the code, or of the caller whose values it was asked to send; it never closes anything.
"""

from __future__ import annotations


class PeerError(Exception):
    """The peer sent something that the D-Bus specification forbids, or more than it may."""


class EncodeError(ValueError):
    """A value cannot be written with the signature that it was given for."""


class AddressError(ValueError):
    """A text is not a D-Bus address that hirte can connect to or listen on."""
