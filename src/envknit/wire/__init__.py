"""Calls between two Python processes or interpreters: frames, values, proxies."""
