"""The lock and the project as they are known to everybody, and how such files are read and written."""
