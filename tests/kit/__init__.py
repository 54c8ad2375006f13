"""Test equipment: wheels made in memory, an index on the loopback interface, and a machine of one's own.

    make_wheel, make_sdist     artifacts as bytes
    LoopbackIndex              serves them over HTTP, counts requests, and fails on demand
    Machine, Project           a store, an environment and folders of one's own; runs real processes

Fixtures that hand them out are in `tests/conftest.py`.
"""

from kit.loopback import Fault, LoopbackIndex
from kit.machine import UNMEASURED, Machine, Project, Ran
from kit.wheels import make_sdist, make_wheel, sdist_name, wheel_name

__all__ = [
    "UNMEASURED",
    "Fault",
    "LoopbackIndex",
    "Machine",
    "Project",
    "Ran",
    "make_sdist",
    "make_wheel",
    "sdist_name",
    "wheel_name",
]
