"""Flow 5: outside the user's program. Standard library only."""
