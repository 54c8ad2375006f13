"""Write a bill of materials in CycloneDX 1.6 JSON (ECMA-424).

The library of that project models all of the standard, with six packages behind it; what a lock can say of its pins is
a screenful. A test holds the result against that library's own schema.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from envknit import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

    from envknit.exchange.chosen import Chosen
    from envknit.files.model import Edge, Pin


def write_cyclonedx(project: str, chosen: Sequence[Chosen]) -> str:
    """Write the pins as components, their files with hashes, and who depends on whom; equal locks give equal text.

    Args:
        project: the name of what is described.
        chosen: its pins, sorted.
    """
    refs = {_key(one.pin): _purl(one) for one in chosen}
    root = f"pkg:generic/{project}"
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "tools": {"components": [{"type": "application", "name": "envknit", "version": __version__}]},
            "component": {"type": "application", "name": project, "bom-ref": root},
        },
        "components": [_component(one) for one in chosen],
        "dependencies": [
            {"ref": root, "dependsOn": sorted({refs[_key(one.pin)] for one in chosen if one.pin.direct})},
            *(
                {
                    "ref": refs[_key(one.pin)],
                    "dependsOn": sorted({refs[edge] for edge in map(_key, one.pin.dependencies) if edge in refs}),
                }
                for one in chosen
            ),
        ],
    }
    return json.dumps(document, indent=2) + "\n"


def _component(one: Chosen) -> dict[str, Any]:
    pin = one.pin
    component: dict[str, Any] = {
        "type": "library",
        "bom-ref": _purl(one),
        "name": pin.name,
        "version": pin.version,
        "purl": _purl(one),
        "scope": "required" if not one.marker else "optional",
    }
    if pin.files:
        component["externalReferences"] = [
            {"type": "distribution", "url": file.name, "hashes": [{"alg": "SHA-256", "content": file.sha256}]}
            for file in pin.files
        ]
    if one.marker:
        component["properties"] = [{"name": "python:marker", "value": one.marker}]
    return component


def _key(pin: Pin | Edge) -> tuple[str, str]:
    return pin.name, pin.version


def _purl(one: Chosen) -> str:
    # package-url: pypi names are lower case with `-`; `+` of a local version is a reserved character. What no index
    # has must not bear the name of a stranger's package
    kind = "pypi" if one.source is None else "generic"
    return f"pkg:{kind}/{one.pin.name}@{one.pin.version}".replace("+", "%2B")
