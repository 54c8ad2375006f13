"""Between two processes: frames on lines, shared memory, who refers to what, and failures as text."""
