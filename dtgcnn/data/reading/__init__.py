"""Files: reading them in every format, within limits."""
