"""Is it online? Asks an agent or the manager over the bus, waits until it is, or while it is.

`state.py` decides, knowing neither bus nor clock; `watch.py` is its eyes; `main.py` reads the
command line and tells the answer.
"""
