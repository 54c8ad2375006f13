"""The start of every Python process that has envknit's hook (DESIGN of the start-up: docs/explanation/startup.md)."""

import _imp
import os
import sys

PLAN_HEADER = "envknit-plan 1"
LOCK_NAME = "envknit.lock.yaml"

# `.cpython-312-x86_64-linux-gnu.so`: tells versions, builds and platforms apart, which `cache_tag` does not
ABI = _imp.extension_suffixes()[0].split(".")[1]


def home() -> str:
    """Return the absolute path of the store: `ENVKNIT_HOME`, else `~/.envknit`."""
    chosen = "" if sys.flags.ignore_environment else os.environ.get("ENVKNIT_HOME", "")
    return os.path.abspath(os.path.expanduser(chosen or "~/.envknit"))


def key(lock_bytes: bytes) -> str:
    """Name a lock by its bytes; not cryptographic: whoever looks a plan up compares the bytes as well."""
    return _imp.source_hash(len(lock_bytes), lock_bytes).hex()


def environment_file(environment: str) -> str:
    """Name the plan file of one environment."""
    return environment + ".plan"


def start() -> None:
    """Do nothing yet."""
