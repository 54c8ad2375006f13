"""JSON Schemas (draft 7) of the project file and the lock, out of the names and words that their readers know.

`scripts/reference.py` writes them into docs/reference. A schema knows the shape of a file; what its texts mean (whether
a requirement is one, whether a dependency is pinned) the reader alone can tell.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
NUMBER_OR_TEXT: Schema = {"type": ["string", "number"]}  # `3.12` without quotes: envknit reads it as it is written
FLAG: Schema = {"enum": [True, False, "true", "false"]}


def listed(item: Schema) -> Schema:
    """A list, or a key that nothing stands behind."""
    return {"type": ["array", "null"], "items": item}


def mapped(item: Schema) -> Schema:
    """A mapping from any name to such values."""
    return {"type": ["object", "null"], "additionalProperties": item}


def project() -> Schema:
    """Describe `envknit.yaml`; a key that its reader knows and this does not is a KeyError."""
    from envknit.files.model import PLATFORMS, PRERELEASES, RESOLUTIONS
    from envknit.files.requested import _SOURCE_KEYS
    from envknit.projects.settings import ENVIRONMENT, TOP

    texts = listed(TEXT)
    source = dict.fromkeys(sorted(_SOURCE_KEYS), TEXT) | {"editable": FLAG}
    table = {"name": TEXT, "version": NUMBER_OR_TEXT, "extras": texts, "markers": TEXT, **source}
    requirement = {
        "anyOf": [
            TEXT,
            {"type": "object", "properties": table, "required": ["name"], "additionalProperties": False},
        ]
    }
    asked = listed(requirement)
    of_environment = {
        "python_version": NUMBER_OR_TEXT,
        "node_version": NUMBER_OR_TEXT,
        "packages": asked,
        "dev_packages": asked,
        "groups": mapped(asked),
        "extras": mapped(asked),
        "constraints": asked,
        "overrides": asked,
        "include": {"anyOf": [TEXT, texts]},
    }
    environment = {
        "type": ["object", "null"],
        "properties": {key: of_environment[key] for key in sorted(ENVIRONMENT)},
        "additionalProperties": False,
    }
    of_top = {
        "default_groups": {"anyOf": [{"const": "all"}, texts]},
        "environments": mapped(environment),
        "exclude_newer": TEXT,
        "indexes": texts,
        "native": texts,
        "node_version": NUMBER_OR_TEXT,
        "prerelease": {"enum": list(PRERELEASES)},
        "pure": texts,
        "resolution": {"enum": list(RESOLUTIONS)},
        "split": {"anyOf": [{"const": "auto"}, {"type": "array", "items": TEXT}]},
        "startup": texts,
        "system_site_packages": FLAG,
        "targets": listed({"enum": list(PLATFORMS)}),
    }
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "envknit.yaml, the project file of envknit",
        "type": ["object", "null"],
        "properties": {key: of_top[key] for key in sorted(TOP)},
        "additionalProperties": False,
    }


def lock() -> Schema:
    """Describe `envknit.lock.yaml` as this envknit writes it; unknown keys are ignored, as its reader does."""
    from envknit.files import model

    texts = listed(TEXT)
    edge = {"name": TEXT, "version": TEXT, "marker": TEXT}
    artifact = {
        "name": TEXT,
        "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
        "size": {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": "^[0-9]+$"}]},
    }
    pin = {
        "name": TEXT,
        "version": TEXT,
        "direct": FLAG,
        "roots": texts,
        "marker": TEXT,
        "dev": FLAG,
        "requires_python": TEXT,
        "source": TEXT,
        "dependencies": listed(_object(edge, "name", "version")),
        "files": listed(_object(artifact, "name", "sha256")),
    }
    environment = {
        "python_version": TEXT,
        "node_version": TEXT,
        "requirements": texts,
        "dev_requirements": texts,
        "groups": mapped(texts),
        "extras": mapped(texts),
        "constraints": texts,
        "overrides": texts,
        "unlocked": texts,
        "packages": listed(_object(pin, "name", "version")),
    }
    older = _object({**pin, "dependencies": texts, "install_path": TEXT, "sha256": TEXT}, "name", "version")
    shapes = {
        "environments": mapped({"anyOf": [_object(environment), {"type": "array", "items": older}]}),
        "targets": texts,
        "system_site_packages": FLAG,
        "startup": texts,
        "native": texts,
        "pure": texts,
        "default_groups": texts,
        "exclude_newer": TEXT,
        "resolution": TEXT,
        "prerelease": TEXT,
        "schema_version": {"type": "string", "pattern": f"^[0-{model.SCHEMA_VERSION.partition('.')[0]}](\\.[0-9]+)*$"},
    }
    top = {field.name: shapes[field.name] for field in fields(model.Lock)}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "envknit.lock.yaml, the lock of envknit",
        **_object({**top, "in_place": FLAG}, "schema_version", "environments"),
        "type": "object",
    }


def _object(properties: Schema, *required: str) -> Schema:
    kind: Schema = {"type": "object" if required else ["object", "null"], "properties": properties}
    return {**kind, "required": list(required)} if required else kind
