"""The agent's decisions: the manager above, systemd below, and what is remembered between them.

Nothing here knows a socket, a clock or a file: connections, timers and the log are handed in.
"""
