"""What sub-interpreters cost and win, beside a thread and a worker: making, calling, working at the same time."""

from __future__ import annotations

import json
from statistics import median

from harness import ROOT, environment, fresh, interpreter, table, versions

_PROGRAM = """
import json, sys, threading, time
import envknit

def work(n):
    x = 0
    for i in range(n):
        x += i * i
    return x

class Thread:  # the host itself, called as the others are
    def call(self, fn, *args):
        return fn(*args)
    def close(self):
        pass

class Worker:
    pool = None
    def __init__(self):
        self.executor = envknit.EnvironmentExecutor("default", 2)
    def call(self, fn, *args):
        return self.executor.submit("task:work" if fn is work else "math:sqrt", *args).result()
    def close(self):
        self.executor.shutdown()

def timed(do):
    began = time.perf_counter()
    value = do()
    return time.perf_counter() - began, value

def made(gil):
    interpreter = envknit.SubInterpreterEnv(gil=gil)
    interpreter.configure_from_lock("envknit.lock.yaml")
    return interpreter

def at_once(ones, n):
    threads = [threading.Thread(target=one.call, args=(work, n)) for one in ones]
    began = time.perf_counter()
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    return time.perf_counter() - began

def main(rounds):
    found = {}
    def note(what, who, seconds):
        found.setdefault(what, {}).setdefault(who, []).append(seconds)
    worker = Worker()
    worker.call("warm", 1.0)
    for number in range(rounds):
        for gil in "own", "shared":
            seconds, one = timed(lambda: made(gil))
            note("make", f"{gil} GIL", seconds)
            note("close", f"{gil} GIL", timed(one.close)[0])
        ones = {"thread": [Thread(), Thread()], "own GIL": [made("own"), made("own")],
                "shared GIL": [made("shared"), made("shared")], "worker": [worker, worker]}
        for who, (one, _) in ones.items():
            import math
            one.call(math.sqrt, 2.0)
            note("call", who, timed(lambda: [one.call(math.sqrt, 2.0) for _ in range(100)])[0] / 100)
        for who, both in ones.items():
            at_once(both, 1000)
            note("alone", who, at_once(both[:1], 1_000_000))
            note("two at once", who, at_once(both, 1_000_000))
        for who in "own GIL", "shared GIL":
            for one in ones[who]:
                one.close()
    worker.close()
    json.dump(found, sys.stdout)

if __name__ == "__main__":
    main(int(sys.argv[1]))
"""


def main(rounds: int) -> None:
    import subprocess

    versions()
    python = interpreter("envknit", ROOT)
    project = fresh("interpreters")
    env = environment(ENVKNIT_HOME=str(project / "store"))
    (project / "envknit.yaml").write_text("environments: {default: {packages: []}}\n")
    (project / "app.py").write_text(_PROGRAM)
    (project / "task.py").write_text(
        "def work(n):\n    x = 0\n    for i in range(n):\n        x += i * i\n    return x\n"
    )
    for verb in "lock", "install":
        subprocess.run([python, "-m", "envknit", verb], cwd=project, env=env, check=True, stdout=subprocess.DEVNULL)
    done = subprocess.run(
        [python, "app.py", str(max(2, rounds // 2))], cwd=project, env=env, check=True, stdout=subprocess.PIPE
    )
    found = json.loads(done.stdout)
    table("make and configure", found["make"], "own GIL")
    table("close", found["close"], "own GIL")
    table("one call of math.sqrt", found["call"], "worker")
    table("pure-Python work, one alone", found["alone"], "thread")
    table("the same in two at once", found["two at once"], "thread")
    print("\nspeed-up of two at once over one after the other: of medians, and of the best (2.0 is perfect)")
    for who, seconds in found["two at once"].items():
        alone = found["alone"][who]
        print(f"  {who:<12} {2 * median(alone) / median(seconds):5.2f} {2 * min(alone) / min(seconds):5.2f}")
