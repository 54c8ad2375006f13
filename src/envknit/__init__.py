"""One shared store of packages, a lock file per project, and plain `python app.py`.

Each public name is loaded when it is first used; importing this package loads nothing else.

PYTEST_DONT_REWRITE: pytest wants to rewrite the modules of its plugins' distributions.
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
    from envknit.isolation.worlds import environments, versions, world
    from envknit.worker.api import configure_workers, fetch, send, worker, workers
    from envknit.worker.environment import EnvironmentExecutor, in_env, run_in, submit
    from envknit.worlds.configure import configure_from_lock
    from envknit.worlds.defaults import disable, enable, set_default
    from envknit.worlds.explain import explain, explain_isinstance
    from envknit.worlds.threads import ContextExecutor, ContextThread, context_wrap

_HOMES = {
    "envknit.errors": "CExtIncompatibleError CExtensionError EnvknitError LinkError"
    " SchemaVersionError UnsupportedPlatformError WorkerError",
    "envknit.interpreter.pool": "InterpreterPool",
    "envknit.interpreter.subinterpreter": "SubInterpreterEnv",
    "envknit.isolation.import_hook": "import_version use",
    "envknit.isolation.worlds": "environments versions world",
    "envknit.worlds.configure": "configure_from_lock",
    "envknit.worlds.defaults": "disable enable set_default",
    "envknit.worlds.explain": "explain explain_isinstance",
    "envknit.worlds.threads": "ContextExecutor ContextThread context_wrap",
    "envknit.worker": "worker",
    "envknit.worker.api": "configure_workers fetch send workers",
    "envknit.worker.environment": "EnvironmentExecutor in_env run_in submit",
}
_NAMES = {name: module for module, names in _HOMES.items() for name in names.split()}

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
    "environments",
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
    "versions",
    "worker",
    "workers",
    "world",
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
