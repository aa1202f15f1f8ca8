"""Manager and agents, unchanged, in one process under a virtual clock.

Everything around them is made up here: time, streams, cables, bus daemons, systemd. What happens,
and when, follows from one seed; the same seed gives the same trace, byte for byte.
"""
