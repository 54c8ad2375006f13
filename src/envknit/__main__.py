"""`python -m envknit`."""

import sys

# `-m` puts the working folder first: a project's own `packaging/` or `yaml.py` must not become the tool's
if not sys.flags.safe_path if hasattr(sys.flags, "safe_path") else True:
    del sys.path[0]

from envknit.cli.start import main

sys.exit(main())
