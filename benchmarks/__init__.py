"""Scripts that remake every generated table and figure of the documentation."""
