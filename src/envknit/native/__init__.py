"""Guests with extension modules: which world C code is of, what plain names mean to it, and how it is loaded."""
