"""Write the software bill of materials of wheels, in CycloneDX.

    python3 tools/wheels/sbom.py DIST > sbom.json

tlskit has one dependency, cffi, and its wheels contain one library, OpenSSL, in the version that
tools/sources.txt pins, with one constant changed. Each file of DIST is listed with its SHA-256.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SERIES = "3.5"  # as in [tool.cibuildwheel] and tools/wheels/build.sh
EDIT = ".github/bin/edit_openssl.pl"


def openssl() -> dict[str, Any]:
    for line in (ROOT / "tools" / "sources.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith(f"openssl-{SERIES} "):
            _name, version, digest, _debian, url = line.split()
            return {
                "type": "library",
                "bom-ref": "openssl",
                "name": "openssl",
                "version": version,
                "purl": f"pkg:generic/openssl@{version}?download_url={url}",
                "cpe": f"cpe:2.3:a:openssl:openssl:{version}:*:*:*:*:*:*:*",
                "licenses": [{"license": {"id": "Apache-2.0"}}],
                "hashes": [{"alg": "SHA-256", "content": digest}],
                "pedigree": {
                    "patches": [{"type": "unofficial"}],
                    "notes": f"SSL_MAX_PIPELINES is 8 instead of 32: {EDIT}",
                },
            }
    raise SystemExit(f"tools/sources.txt has no openssl-{SERIES}")


def main() -> int:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    found = re.search(r'^version = "(.+)"$', text, re.MULTILINE)
    assert found
    version = found.group(1)
    files = [
        {
            "type": "file",
            "bom-ref": path.name,
            "name": path.name,
            "hashes": [
                {"alg": "SHA-256", "content": hashlib.sha256(path.read_bytes()).hexdigest()}
            ],
        }
        for path in sorted(Path(sys.argv[1]).iterdir())
        if path.suffix in (".whl", ".gz")
    ]
    wheels = [file["bom-ref"] for file in files if str(file["name"]).endswith(".whl")]
    cffi = {"type": "library", "bom-ref": "cffi", "name": "cffi", "purl": "pkg:pypi/cffi"}
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "library",
                "bom-ref": "tlskit",
                "name": "tlskit",
                "version": version,
                "purl": f"pkg:pypi/tlskit@{version}",
                "licenses": [{"license": {"id": "Apache-2.0"}}],
            }
        },
        "components": [openssl(), cffi, *files],
        "dependencies": [
            {"ref": "tlskit", "dependsOn": ["cffi"]},
            *({"ref": name, "dependsOn": ["openssl"]} for name in wheels),
        ],
    }
    json.dump(document, sys.stdout, indent=2)
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
