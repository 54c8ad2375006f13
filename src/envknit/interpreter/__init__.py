"""Packages in sub-interpreters of this process: alone (`SubInterpreterEnv`), in a pool, or behind a channel."""
