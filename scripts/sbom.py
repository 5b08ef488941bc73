"""Write the parts list (SBOM) of each image as CycloneDX JSON, from its pinned requirements: `python -m scripts.sbom`.

`--licences` prints a table of all packages and their licences. The format is that of
https://cyclonedx.org/docs/1.6/json/. The same requirements always give the same file.
"""

import argparse
import json
import sys
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from common.files import write_atomic
from common.settings import SettingsError, load_settings
from scripts.licences import licence
from scripts.pinned import IMAGES, Pinned, PinnedError, read_pinned

VERSION = "1.6"
NO_LICENCE = "not in the metadata here"

Document = dict[str, Any]


def document(image: str, packages: Sequence[Pinned]) -> Document:
    """Return the SBOM of an image with these packages."""
    components = [_component(each) for each in packages]
    content = json.dumps(components, sort_keys=True)
    return {
        "$schema": f"http://cyclonedx.org/schema/bom-{VERSION}.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": VERSION,
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'closed-loop-lab/{image}/{content}')}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "container",
                "name": f"closed-loop-lab/{image}",
                "bom-ref": f"closed-loop-lab/{image}",
            }
        },
        "components": components,
        "dependencies": [
            {"ref": f"closed-loop-lab/{image}", "dependsOn": [each["bom-ref"] for each in components]},
            *({"ref": each["bom-ref"]} for each in components),
        ],
    }


def licences() -> list[tuple[str, str, str]]:
    """Return name, version and licence of each package in any image, sorted."""
    packages = sorted({each for path in IMAGES.values() for each in read_pinned(path)})
    return [(each.name, each.version, found[1] if (found := licence(each)) else NO_LICENCE) for each in packages]


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the files, or print the licences; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m scripts.sbom", description=__doc__)
    parser.add_argument("--folder", type=Path, help="where to write the files; default: .lab/sbom")
    parser.add_argument("--licences", action="store_true", help="print packages and licences, and write nothing")
    given = parser.parse_args(arguments)
    try:
        if given.licences:
            for row in licences():
                print("  ".join(row))
            return 0
        folder = given.folder or load_settings().state_dir / "sbom"
        folder.mkdir(parents=True, exist_ok=True)
        for image, path in IMAGES.items():
            packages = read_pinned(path)
            write_atomic(folder / f"{image}.cdx.json", f"{json.dumps(document(image, packages), indent=2)}\n".encode())
            print(f"{folder / f'{image}.cdx.json'}: {len(packages)} packages")
    except (SettingsError, PinnedError, OSError) as error:
        sys.exit(f"sbom: {error}")
    return 0


def _component(package: Pinned) -> Document:
    purl = f"pkg:pypi/{package.name}@{package.version}"
    found: Document = {
        "type": "library",
        "bom-ref": purl,
        "name": package.name,
        "version": package.version,
        "purl": purl,
        # One for each file that may be installed: a wheel for each platform, and the sources.
        "hashes": [{"alg": "SHA-256", "content": each} for each in package.hashes],
    }
    if known := licence(package):
        kind, text = known
        found["licenses"] = [{"expression": text} if kind == "expression" else {"license": {kind: text}}]
    return found


if __name__ == "__main__":
    sys.exit(main())
