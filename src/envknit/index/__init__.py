"""Ask package indexes: pages, metadata, artifacts, and building an sdist."""
