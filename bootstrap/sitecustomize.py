"""The hook's other door, for interpreters without envknit.pth."""
