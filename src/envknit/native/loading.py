"""Load an extension module as a module of a guest.

The dynamic linker takes files of different device and inode for different libraries, each with static variables of its
own, and CPython opens them with local symbols (`RTLD_LOCAL`; Python/dynload_shlib.c). Modules of single-phase
initialisation are found again by file and name (`_PyImport_FindExtensionObject` in Python/import.c). So two versions do
not meet; but one file for two worlds would be one library with the static variables of the first: the second gets a
copy of the file.

pybind11 and nanobind keep the types of all modules in one table, which they find under a fixed text in the dict of the
interpreter (`get_internals` in pybind11/detail/internals.h, `init` in nanobind's nb_internals.cpp); a type of two
versions would be registered there twice. The text is a constant of the file, so a guest's modules are loaded from a
copy in which it says another table, the same for all guests of an environment. So is lxml's log of errors, one for
each thread (`_getThreadErrorLog` in lxml/xmlerror.pxi).
"""

from __future__ import annotations

import _imp
import os
import sys
from _frozen_importlib import ModuleSpec

from envknit.native import askers, names
from envknit.plan import key

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

    from envknit.native.askers import World

# What the constants start with
_SHARED = b"__pybind11_internals_", b"__pybind11_module_local_", b"__nb_internals_", b"_GlobalErrorLog\0"
_owners: dict[tuple[int, int], World] = {}  # device and inode of an extension file -> the guest that loaded it


def create(
    spec: ModuleSpec, path: str, source: str, plain: str, world: World, *, kin: str, is_shared: bool
) -> ModuleType:
    """Create the module of an extension file.

    Args:
        spec: its spec, by its real name.
        path: the file as the module knows it.
        source: the same file in the store.
        plain: the name that its own code knows it by.
        world: the guest.
        kin: a name for those that it shares types of C++ with.
        is_shared: whether the file may be a resident's, too.

    Raises:
        ImportError: as the import of any extension module does.

    Cost: the file is read once more; where it is another world's, or shares types, it is written, too.
    """
    # The function that initialises it has the last part of the name: `PyInit_orjson`, not `PyInit_orjson@3_9`
    # (`get_encoded_name` in Python/importdl.c)
    tail = plain.rpartition(".")[2]
    name = spec.name if spec.name.endswith("." + tail) else f"{spec.name}.{tail}"
    with open(source, "rb") as original:
        data = original.read()
    changed = _with_own_constants(data, kin)
    own = not is_shared and changed is data and _is_own(source, world)
    file = source if own else _copy(source, changed)
    askers.note(file, world)
    try:
        names.show(spec.name, plain, None)
        stand_in = ModuleSpec(name, spec.loader, origin=file)
        stand_in.submodule_search_locations = spec.submodule_search_locations
        module = _imp.create_dynamic(stand_in)
    except BaseException:
        names.hide(spec.name)
        raise
    finally:
        if not own:
            _drop(file)
    if name != spec.name:
        sys.modules.pop(name, None)  # where a module of single-phase initialisation was put
    if isinstance(getattr(module, "__dict__", None), dict):
        # Cython copies them from the spec that it is given; `_init_module_attrs` leaves what is there
        module.__name__ = spec.name
        module.__file__ = path
        module.__package__ = spec.parent
    return module


def execute(module: ModuleType, spec: Any, plain: str) -> None:
    """Execute the module: the second phase of its initialisation (PEP 489)."""
    names.show(spec.name, plain, module)
    # gevent's accelerators look whether they run under the name that they were compiled with (gevent/_util.py)
    own = getattr(module, "__dict__", None)
    named = own if isinstance(own, dict) else {}  # the first phase may give something else than a module
    named["__name__"] = plain
    try:
        _imp.exec_dynamic(module)
    finally:
        named["__name__"] = spec.name
    # A module that Cython made registers itself under the name that it was compiled with
    if sys.modules.get(plain) is module:
        sys.modules.pop(plain, None)


def _is_own(source: str, world: World) -> bool:
    """Tell whether a file is no other world's yet: no guest's, and nobody's who loaded it under another path."""
    found = os.stat(source)
    identity = found.st_dev, found.st_ino
    if identity not in _owners and _is_loaded(identity):
        return False
    return _owners.setdefault(identity, world) is world


def _is_loaded(identity: tuple[int, int]) -> bool:
    device, inode = f"{os.major(identity[0]):02x}:{os.minor(identity[0]):02x}", str(identity[1])
    with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as maps:
        return any(fields[3:5] == [device, inode] for line in maps if (fields := line.split(None, 5)))


def _with_own_constants(data: bytes, kin: str) -> bytes:
    for text in _SHARED:
        if text in data:  # as long as before: what follows must stay where it is
            data = data.replace(text, f"__{key(kin.encode())}".encode()[: len(text) - 1] + text[-1:])
    return data


def _copy(source: str, data: bytes) -> str:
    """Write an extension file to a folder of its own, in which the libraries that it needs are found as before.

    It lies there while it is loaded; a mapped file needs no name. Not in memory (`memfd_create`): `$ORIGIN` in the
    paths to its libraries is the folder of the file's name (ld.so(8)).
    """
    import tempfile

    top = source
    while os.path.basename(os.path.dirname(os.path.dirname(top))) != "site-packages" and os.path.dirname(top) != top:
        top = os.path.dirname(top)
    top = os.path.dirname(top)
    made = tempfile.mkdtemp(prefix="envknit-native-")
    below, place = top, made
    *folders, name = os.path.relpath(source, top).split(os.sep)
    for folder in folders:
        for each in os.scandir(below):
            if each.name != folder:
                os.symlink(each.path, os.path.join(place, each.name))
        below, place = os.path.join(below, folder), os.path.join(place, folder)
        os.mkdir(place)
    for each in os.scandir(below):
        if each.name != name:
            os.symlink(each.path, os.path.join(place, each.name))
    file = os.path.join(place, name)
    with open(file, "wb") as copy:
        copy.write(data)
    return file


def _drop(file: str) -> None:
    import shutil
    import tempfile

    inner = os.path.relpath(file, tempfile.gettempdir())
    shutil.rmtree(os.path.join(tempfile.gettempdir(), inner.partition(os.sep)[0]), ignore_errors=True)
