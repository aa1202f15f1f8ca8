"""The world outside: the event loop, sockets, the journal, the service manager.

Nothing here knows what a node or a job is.
"""
