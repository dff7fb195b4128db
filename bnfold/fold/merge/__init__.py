"""Linear branches that are one operator."""
