"""One module per mode: options to settings, parts wired together, run. No decisions."""
