"""The script of a child process that tries a module in two interpreters at once; it may crash, that is the point.

What happens goes to stdout, a line each; see `extension.probe`.
"""

import json
import os
import sys


def main() -> None:
    """Run the probe that the argument describes, in JSON."""
    order = json.loads(sys.argv[1])
    log = os.dup(1)
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)  # packages print
    sys.path[:0] = order["folders"]
    from _envknit_bootstrap import MODULES, beside

    for name in MODULES:  # all of the hook: its folder is on sys.path only now
        beside(name)
    from envknit.interpreter.session import Session

    # Two at once, and both ended: modules that keep static state fail in the second, or at the first one's end
    tried = [Session(order["gil"], "probe") for _ in range(2)]
    before = set(sys.modules)
    for session in tried:
        if order["plan"]:
            session.ask("configure", order["lock"], order["plan"])
        session.ask("call", ("path", "sys", "path.extend", ""), (order["path"],), {})
        session.ask("record", log)
        try:
            session.ask("import", order["name"])
        except Exception as error:  # noqa: BLE001 - whatever stopped it is the answer
            os.write(log, f"stop\t{_first_line(error)}\n".encode(errors="replace"))
    came = sorted(
        {name.partition(".")[0] for name in set(sys.modules) - before} - sys.stdlib_module_names - {"envknit"}
    )
    if came:
        # CPython 3.13 runs single-phase initialisations in the main interpreter
        os.write(log, f"came\tits initialisation imports {', '.join(came)} into the host\n".encode())
    for session in tried:
        session.close()


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).split("\n")), "").replace("\t", " ")


if __name__ == "__main__":
    main()
