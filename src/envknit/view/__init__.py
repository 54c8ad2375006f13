"""A plan as a folder shaped like a virtual environment: links, scripts, bytecode, and its inspection."""
