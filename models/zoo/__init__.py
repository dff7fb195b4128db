"""Every network through the toolkit, with what comes of it: `python -m models.zoo`."""
