"""A package that does to its process what workers must survive."""

from __future__ import annotations

import os
import time
from pathlib import Path

GADGET = '''
"""A gadget."""
import ctypes, os, signal, sys, threading, time
__version__ = "1.0"
CALLS = []
local = threading.local()

class Box:
    """Holds a value."""
    def __init__(self, value=None): self.value = value
    def get(self): return self.value

class Evil:
    def __reduce__(self): return os.system, ("touch /nowhere",)

def echo(value=None, **options): return (value, options) if options else value
def pid(): return os.getpid()
def sleep(seconds, value=None): time.sleep(seconds); return value
def spin(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end: pass
def leave(status): os._exit(status)
def crash(): ctypes.string_at(0)
def kill(): os.kill(os.getpid(), signal.SIGKILL)
def say(text, stream="stdout"): print(text, file=getattr(sys, stream)); return len(text)
def ask(): return input()
def apply(function, *args): return function(*args)
def begin(begun, name, *args): begun(); return globals()[name](*args)
def count(): CALLS.append(1); return len(CALLS)
def remember(value): local.value = value
def recall(): return getattr(local, "value", None)
def on_main_thread(): return threading.current_thread() is threading.main_thread()
def huge(size): return b"x" * size
def argv(): return sys.argv, sys.modules["__main__"].__file__
def path(): return list(sys.path)
def finders(): return [getattr(finder, "__name__", type(finder).__name__) for finder in sys.meta_path]
def later(function, value): threading.Timer(0.05, function, (value,)).start()
def hold_gil(seconds): ctypes.PyDLL(None).sleep(seconds)
def children(): return os.environ.get("ENVKNIT_ACTIVE", "")
def child(method):
    import multiprocessing
    with multiprocessing.get_context(method).Pool(1) as pool: return pool.apply(where)
def child_program():
    import subprocess
    code = "import gadget; print(gadget.__file__)"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
def where(): return __file__
def take_descriptors():
    import resource
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    try:
        while True: TAKEN.append(os.open(os.devnull, os.O_RDONLY))
    except OSError: pass
def give_descriptors():
    while TAKEN: os.close(TAKEN.pop())
FORKS, KEPT, TAKEN = [], [], []
def keep(view): KEPT.append(view); return bytes(view[:3])
def fork():
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        os.read(reader, 1)
        os._exit(0 if all(set(bytes(view)) == {107} for view in KEPT) else 1)
    FORKS[:] = pid, writer
    KEPT.clear()
def join():
    os.write(FORKS[1], b"!")
    return os.waitstatus_to_exitcode(os.waitpid(FORKS[0], 0)[1])
def at_exit(path):
    import atexit
    atexit.register(lambda: open(path, "w").close())
'''

PARTS = "def part(): return __name__\n"


def write_gadget(folder: Path, name: str = "gadget") -> Path:
    """Write the package into a folder, as it would lie in site-packages; returns the folder."""
    package = folder / name
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(GADGET, encoding="utf-8")
    (package / "parts.py").write_text(PARTS, encoding="utf-8")
    (package / "broken.py").write_text("import nowhere_to_be_found\n", encoding="utf-8")
    return folder


def gone(pid: int, seconds: float = 2.0) -> bool:
    """Wait until a process has ended, also as a zombie of somebody else."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z" and len(os.listdir(f"/proc/{pid}/task")) <= 1:  # noqa: PTH208 - other threads may still end
            return True
        time.sleep(0.01)
    return False
