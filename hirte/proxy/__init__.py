"""The helper that a unit starts which stands for a unit of another node: it waits for the agent.

`main.py` reads the command line and tells what went wrong; `call.py` is the one call of the agent.
"""
