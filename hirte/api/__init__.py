"""What hirte says on D-Bus, written down once: the dialects' names and the interface tables.

Dispatch, introspection, documentation and clients read these tables; nothing here runs.
"""
