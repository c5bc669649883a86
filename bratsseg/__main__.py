"""``python -m bratsseg`` is the command ``bratsseg``."""

from __future__ import annotations

from bratsseg.cli.main import main

if __name__ == "__main__":
    main()
