"""One shared store of packages, a lock file per project, and plain `python app.py`."""

__version__ = "0.1.0"
