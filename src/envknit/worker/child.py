"""The script that a worker runs: find envknit, and nothing else of the host's; then serve.

The host's main module is never run here, so hosts need no `if __name__ == "__main__"`.
"""

import sys


def main() -> None:
    """Take descriptors and folders from the command line; see `process.start`."""
    descriptors = [int(number) for number in sys.argv[1].split(",")]
    folders = sys.argv[2:]
    sys.argv[:] = [""]
    sys.path[:0] = folders
    import _envknit_bootstrap  # noqa: F401, PLC0415 - its folder is on sys.path only now
    from envknit.worker.serve import serve  # noqa: PLC0415 - as above

    del sys.path[: len(folders)]
    serve(*descriptors)


if __name__ == "__main__":
    main()
