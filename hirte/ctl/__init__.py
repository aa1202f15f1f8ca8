"""The administrator's tool: a table of verbs over a client of the manager.

`verbs.py` is the table; `command_line.py` reads what the administrator typed after it; `show.py`
and `control.py` are what the verbs do; `manager.py` asks the manager, by way of `bus.py`, the one
module that knows jeepney. Both are loaded when a verb first asks for the manager, because they are
most of what a start costs.
"""
