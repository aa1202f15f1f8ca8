"""hirte: deterministic multi-node systemd service manager."""

__version__ = "0.1.0"
