"""A conversation in D-Bus messages, without I/O: calls and their answers, and exported objects.

Transports, timers and logs are handed in. The same code runs on sockets and under the simulator.
"""
