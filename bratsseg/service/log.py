"""The log of server and worker, on standard error."""

from __future__ import annotations

import logging

_NOISY = ("alembic", "uvicorn.error")


def start_log() -> None:
    """Tell what happens from here on, and of chatty libraries their warnings alone."""
    logging.basicConfig(format="%(asctime)s %(name)s %(levelname)s %(message)s", level=logging.INFO)
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)
