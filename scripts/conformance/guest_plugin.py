"""A pytest plugin: whatever the tests import means the environment `subject`, beside the resident versions."""

import envknit

block = envknit.use("subject")
block.__enter__()
