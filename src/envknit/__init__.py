"""One shared store of packages, a lock file per project, and plain `python app.py`.

Each public name is loaded when it is first used; importing this package loads nothing else.
"""

__version__ = "0.1.0"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from envknit.errors import (
        CExtensionError,
        CExtIncompatibleError,
        EnvknitError,
        LinkError,
        SchemaVersionError,
        UnsupportedPlatformError,
        WorkerError,
    )
    from envknit.interpreter.pool import InterpreterPool
    from envknit.interpreter.subinterpreter import SubInterpreterEnv
    from envknit.isolation.import_hook import import_version, use
    from envknit.runtime.configure import configure_from_lock
    from envknit.runtime.defaults import disable, enable, set_default
    from envknit.runtime.explain import explain, explain_isinstance
    from envknit.runtime.threads import ContextExecutor, ContextThread, context_wrap
    from envknit.worker.api import configure_workers, fetch, send, worker, workers
    from envknit.worker.environment import EnvironmentExecutor, in_env, run_in, submit

_NAMES = {
    "CExtIncompatibleError": "envknit.errors",
    "CExtensionError": "envknit.errors",
    "ContextExecutor": "envknit.runtime.threads",
    "ContextThread": "envknit.runtime.threads",
    "EnvironmentExecutor": "envknit.worker.environment",
    "EnvknitError": "envknit.errors",
    "InterpreterPool": "envknit.interpreter.pool",
    "LinkError": "envknit.errors",
    "SchemaVersionError": "envknit.errors",
    "SubInterpreterEnv": "envknit.interpreter.subinterpreter",
    "UnsupportedPlatformError": "envknit.errors",
    "WorkerError": "envknit.errors",
    "configure_from_lock": "envknit.runtime.configure",
    "configure_workers": "envknit.worker.api",
    "context_wrap": "envknit.runtime.threads",
    "disable": "envknit.runtime.defaults",
    "enable": "envknit.runtime.defaults",
    "explain": "envknit.runtime.explain",
    "explain_isinstance": "envknit.runtime.explain",
    "fetch": "envknit.worker.api",
    "import_version": "envknit.isolation.import_hook",
    "in_env": "envknit.worker.environment",
    "run_in": "envknit.worker.environment",
    "send": "envknit.worker.api",
    "set_default": "envknit.runtime.defaults",
    "submit": "envknit.worker.environment",
    "use": "envknit.isolation.import_hook",
    "worker": "envknit.worker",
    "workers": "envknit.worker.api",
}

__all__ = [
    "CExtIncompatibleError",
    "CExtensionError",
    "ContextExecutor",
    "ContextThread",
    "EnvironmentExecutor",
    "EnvknitError",
    "InterpreterPool",
    "LinkError",
    "SchemaVersionError",
    "SubInterpreterEnv",
    "UnsupportedPlatformError",
    "WorkerError",
    "__version__",
    "configure_from_lock",
    "configure_workers",
    "context_wrap",
    "disable",
    "enable",
    "explain",
    "explain_isinstance",
    "fetch",
    "import_version",
    "in_env",
    "run_in",
    "send",
    "set_default",
    "submit",
    "use",
    "worker",
    "workers",
]


def __getattr__(name: str) -> object:
    if name in {"errors", "isolation"}:  # public submodules are attributes, too; importing one binds it here
        return __import__(f"{__name__}.{name}", fromlist=(name,))
    module = _NAMES.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(__import__(module, fromlist=(name,)), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_NAMES})
