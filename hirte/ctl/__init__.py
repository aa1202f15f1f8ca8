"""The administrator's tool: a table of verbs over a client of the manager.

`verbs.py` is the table; `command_line.py` reads what the administrator typed after it; `show.py`
and `control.py` are what the verbs do; `failures.py` says what the errors of the client mean. The
client, `hirte.client`, is loaded when a verb first asks for the manager, because it is most of what
a start costs.
"""
