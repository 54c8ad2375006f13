"""A small package with extension modules whose C code asks for modules by plain names in every way that there is."""

from __future__ import annotations

import atexit
import shutil
import subprocess
import sysconfig
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

import pytest

from kit.planned import EXTENSION, folder_of, write_packages

if TYPE_CHECKING:
    from kit import Machine
    from kit.planned import Files

SOURCE = r"""
#define PY_SSIZE_T_CLEAN
#include <Python.h>

static int calls = 0;          /* what two worlds that share one file would share */
static PyObject *seen = NULL;  /* what the plain name of a dependency meant at initialisation */

static PyObject *name = NULL;  /* `__name__` at initialisation */
static PyObject *named_at_start(PyObject *self, PyObject *none) { return Py_NewRef(name); }
static PyObject *count(PyObject *self, PyObject *none) { return PyLong_FromLong(++calls); }
static PyObject *at_start(PyObject *self, PyObject *none) { return Py_NewRef(seen); }
static PyObject *imported(PyObject *self, PyObject *name) { return PyImport_Import(name); }
static PyObject *by_level(PyObject *self, PyObject *name) {  /* as the imports in Cython's functions are */
    PyObject *names = Py_BuildValue("[s]", "VERSION");
    PyObject *found = PyImport_ImportModuleLevelObject(name, NULL, NULL, names, 0);
    Py_DECREF(names);
    return found;
}
static PyObject *found(PyObject *self, PyObject *name) {
    PyObject *module = PyImport_GetModule(name);
    if (module == NULL && !PyErr_Occurred()) Py_RETURN_NONE;
    return module;
}
static PyObject *in_table(PyObject *self, PyObject *name) {
    PyObject *module = PyDict_GetItemWithError(PyImport_GetModuleDict(), name);
    if (module == NULL && !PyErr_Occurred()) Py_RETURN_NONE;
    return Py_XNewRef(module);
}
static PyObject *called(PyObject *self, PyObject *function) { return PyObject_CallNoArgs(function); }
static const char *interface = INTERFACE;
static PyObject *capsule(PyObject *self, PyObject *none) {
    const char *text = PyCapsule_Import("lib.API", 0);
    return text ? PyUnicode_FromString(text) : NULL;
}

static PyObject *types = NULL;  /* as pybind11 keeps them: one table for all modules, under a constant text */
static PyObject *registered(PyObject *self, PyObject *none) { return PySequence_List(types); }
static PyObject *errors = NULL;  /* as lxml keeps it: in the dict of the thread */
static PyObject *logged(PyObject *self, PyObject *none) { return Py_NewRef(errors); }
static int add_log(void) {
    PyObject *id = PyUnicode_FromString("_GlobalErrorLog"), *own = PyUnicode_FromString(INTERFACE);
    errors = PyDict_SetDefault(PyThreadState_GetDict(), id, own);
    return errors == NULL ? -1 : 0;
}
static int add_type(void) {
    static const char *id = "__pybind11_internals_v4_kit__";
    PyObject *shared = PyInterpreterState_GetDict(PyInterpreterState_Get());
    types = PyDict_GetItemString(shared, id);
    if (types == NULL && ((types = PyDict_New()) == NULL || PyDict_SetItemString(shared, id, types) < 0)) return -1;
    if (PyDict_GetItemString(types, PLAIN)) {
        PyErr_SetString(PyExc_ImportError, "generic_type: type \"" PLAIN "\" is already registered!");
        return -1;
    }
    return PyDict_SetItemString(types, PLAIN, Py_None);
}

static PyMethodDef methods[] = {
    {"registered", registered, METH_NOARGS, NULL}, {"named_at_start", named_at_start, METH_NOARGS, NULL},
    {"logged", logged, METH_NOARGS, NULL},
    {"count", count, METH_NOARGS, NULL}, {"at_start", at_start, METH_NOARGS, NULL},
    {"imported", imported, METH_O, NULL}, {"by_level", by_level, METH_O, NULL},
    {"found", found, METH_O, NULL}, {"in_table", in_table, METH_O, NULL}, {"called", called, METH_O, NULL},
    {"capsule", capsule, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL},
};

static PyTypeObject Thing = {
    PyVarObject_HEAD_INIT(NULL, 0) .tp_name = PLAIN ".Thing", .tp_basicsize = sizeof(PyObject),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, .tp_new = PyType_GenericNew,
};

static int fill(PyObject *module) {
#ifdef CRASH
    abort();
#endif
    if (add_type() < 0 || add_log() < 0 || (name = PyModule_GetNameObject(module)) == NULL) return -1;
    PyObject *base = PyImport_ImportModule("lib.base");
    if (base == NULL || PyType_Ready(&Thing) < 0) return -1;
    seen = PyObject_GetAttrString(base, "VERSION");
    Py_DECREF(base);
    Py_INCREF(&Thing);
    PyModule_AddObject(module, "API", PyCapsule_New((void *)interface, "lib.API", NULL));
    return seen == NULL ? -1 : PyModule_AddObject(module, "Thing", (PyObject *)&Thing);
}

#ifdef SINGLE
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = NAME, .m_size = -1, .m_methods = methods};
PyMODINIT_FUNC INIT(void) {
    PyObject *module = PyModule_Create(&definition);
    if (module == NULL || fill(module) < 0) return NULL;
    /* as Cython does */
    PyObject *modules = PyImport_GetModuleDict();
    if (!PyDict_GetItemString(modules, PLAIN)) PyDict_SetItemString(modules, PLAIN, module);
    return module;
}
#else
static PyModuleDef_Slot slots[] = {{Py_mod_exec, fill}, {0, NULL}};
static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = NAME, .m_size = 0, .m_methods = methods, .m_slots = slots,
};
PyMODINIT_FUNC INIT(void) { return PyModuleDef_Init(&definition); }
#endif
"""


FLAVOURS = {"_multi": (), "_single": ("-DSINGLE",)}  # modules of `lib`, by how they are initialised (PEP 489)


@cache
def compiled(plain: str, version: str, *flags: str) -> Path:
    """Compile the extension module under a full name, once a run; skips the test where there is no compiler.

    Args:
        plain: the name.
        version: what its capsule tells.
        flags: `-DSINGLE`: with single-phase initialisation; `-DCRASH`: it aborts when it is initialised.
    """
    compiler = shutil.which("gcc") or pytest.skip("needs a C compiler")
    include = sysconfig.get_path("include")
    if not Path(include, "Python.h").exists():
        pytest.skip("needs Python.h")
    tail = plain.rpartition(".")[2]
    folder = Path(mkdtemp(prefix="envknit-test-native-"))
    atexit.register(shutil.rmtree, folder)
    source, target = folder / f"{tail}.c", folder / f"{tail}.{EXTENSION}"
    source.write_text(SOURCE, encoding="utf-8")
    names = [f'-DNAME="{tail}"', f'-DPLAIN="{plain}"', f"-DINIT=PyInit_{tail}", f'-DINTERFACE="{version}"']
    command = [compiler, "-shared", "-fPIC", "-O1", f"-I{include}", *names, *flags, source, "-o", target]
    subprocess.run(command, check=True)
    return target


def native_files(version: str) -> Files:
    """Return what a version of `lib` holds beside its extension modules."""
    return {
        "lib/__init__.py": f"VERSION = {version!r}\nfrom lib._multi import API\nfrom lib import _multi, _single\n"
        "from lib import base\nbase.Late = type('Late', (), {'__module__': 'lib.base'})\n",
        "lib/base.py": f"import pickle\nVERSION = {version!r}\ndef load(data):\n    return pickle.loads(data)\n",
        "lib/late.py": f"import dep\nVERSION = {version!r}\nBELOW = dep.VERSION\n",
        "lib/only.py" if version == "1.0" else "lib/newer.py": f"VERSION = {version!r}\n",
    }


def write_native(machine: Machine) -> None:
    """Write `lib` 1.0 and 2.0, the extension modules `solo` of both versions, and what they depend on."""
    versions = "1.0", "2.0"
    packages = {f"lib=={version}": native_files(version) for version in versions}
    packages |= {f"dep=={version}": {"dep.py": f"VERSION = {version!r}\n"} for version in versions}
    packages |= {f"solo=={version}": {"solo-notes.txt": ""} for version in versions}
    packages["bad==1.0"] = {"bad-notes.txt": ""}
    packages["packed==1.0"] = {"packed/part.py": "VERSION = '1.0'\n"}
    write_packages(machine.home, packages)
    for version in versions:
        root = machine.home / folder_of(f"lib=={version}") / "lib"
        for tail, flags in FLAVOURS.items():
            shutil.copy(compiled(f"lib.{tail}", version, *flags), root)
        shutil.copy(compiled("solo", version, "-DSINGLE"), machine.home / folder_of(f"solo=={version}"))
    shutil.copy(compiled("bad", "1.0", "-DCRASH"), machine.home / folder_of("bad==1.0"))
    shutil.copy(compiled("packed", "1.0"), machine.home / folder_of("packed==1.0") / "packed" / f"__init__.{EXTENSION}")
