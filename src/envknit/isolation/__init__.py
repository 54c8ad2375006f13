"""Another door to the names that keep versions apart; each is loaded when it is first used."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from envknit.errors import CExtensionError, CExtIncompatibleError, UnsupportedPlatformError
    from envknit.interpreter.pool import InterpreterPool
    from envknit.interpreter.subinterpreter import SubInterpreterEnv
    from envknit.isolation.import_hook import use
    from envknit.worlds.threads import ContextExecutor, ContextThread, context_wrap

__all__ = [
    "CExtIncompatibleError",
    "CExtensionError",
    "ContextExecutor",
    "ContextThread",
    "InterpreterPool",
    "SubInterpreterEnv",
    "UnsupportedPlatformError",
    "context_wrap",
    "use",
]


def __getattr__(name: str) -> object:
    if name == "import_hook":
        return __import__(f"{__name__}.{name}", fromlist=(name,))
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import envknit

    return getattr(envknit, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
