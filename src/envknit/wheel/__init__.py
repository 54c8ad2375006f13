"""One wheel: read it with distrust, and unpack it."""
