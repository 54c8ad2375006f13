"""Flow 4: inside the user's program. Standard library only."""
