"""The manager's decisions: nodes, registrations, jobs, and the public API.

Nothing here knows a socket, a clock or a file: connections, timers and the log are handed in.
"""
