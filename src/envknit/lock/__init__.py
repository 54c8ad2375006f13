"""Flow 2: requirements in, lock out."""
