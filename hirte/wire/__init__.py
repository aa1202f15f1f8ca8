"""Bytes to messages and back: the innermost ring.

Nothing here knows a socket, a clock, a file, or what a message means. Whatever a peer may send,
the code of this package ends in bounded time and memory and either accepts it or raises the one
exception that means "the peer is at fault": :class:`hirte.wire.errors.PeerError`.
"""
