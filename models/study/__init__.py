"""What batch norm does for one small network, measured: `python -m models.study`."""
