"""The script of a child process that imports a pin as a guest; it may crash, that is the point.

What stopped it goes to stdout, one line. `native.allow_native` tries whether its extension modules load beside those of
other versions, `install.guests` whether it can do without them.
"""

import json
import os
import pickle
import sys
from contextlib import suppress
from importlib import import_module


def main() -> None:
    """Try what the argument describes, in JSON."""
    order = json.loads(sys.argv[1])
    log = os.dup(1)
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)  # packages print
    sys.path[0:1] = order["folders"]  # in place of the folder of this script
    import _envknit_bootstrap  # noqa: F401 - its folder is on sys.path only now
    from envknit.native.askers import why_missing
    from envknit.native.names import import_real
    from envknit.plan import Plan, load_plan
    from envknit.runtime import doors
    from envknit.runtime.activation import activate
    from envknit.runtime.router import router

    try:
        if order["resident"]:
            activate("", order["resident"])
            router.refresh()
        plan = Plan.parse(order["text"], order["plan"]) if "text" in order else load_plan(order["plan"])
        if "text" in order:  # it has no view: files are where the store has them
            plan.imports.clear()
        router.add([plan])
        doors.install()
        if order["native"] and (why := why_missing()):
            raise ImportError(why)  # noqa: TRY301 - as whatever else stops it
        for name in order["beside"]:
            with suppress(ImportError):  # what is resident fails by itself, if it does
                import_module(name)
        pin = plan.pins[tuple(order["pin"])]
        for needed in plan.closure(pin):
            router.member(plan, needed).is_native = order["native"]
        for name in [pin.main] if pin.main else pin.imports:
            _use(import_real(router.member(plan, pin).real_name(name)))
    except Exception as error:  # noqa: BLE001 - whatever stopped it is the answer
        line = next(iter(str(error).splitlines()), "")
        os.write(log, f"a try of it in a child process failed: {type(error).__name__}: {line}".encode(errors="replace"))


def _use(module: object) -> None:
    """Pickle what lies in a module, each thing for itself: it goes through C code, and names are looked up again."""
    for thing in list(vars(module).values()):
        with suppress(Exception):  # much cannot be pickled; that nothing crashes is what is tried
            pickle.loads(pickle.dumps(thing))  # noqa: S301 - it was made just now


if __name__ == "__main__":
    main()
