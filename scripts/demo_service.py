"""Serve the demo's patients: python scripts/demo_service.py PATIENTS DATA PORT."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from sqlalchemy import select

from bratsseg.service.accounts.roles import Role
from bratsseg.service.accounts.tokens import new_token
from bratsseg.service.accounts.users import add_user, set_password
from bratsseg.service.context import Context
from bratsseg.service.records import User
from bratsseg.service.settings import Settings

NAME = "demo"


class Client:
    """The REST interface over one address with one token."""

    def __init__(self, address: str, token: str) -> None:
        self.address, self.headers = address, {"Authorization": f"Bearer {token}"}

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        kind = {"Content-Type": "application/octet-stream" if isinstance(body, bytes) else "application/json"}
        request = urllib.request.Request(f"{self.address}{path}", content, self.headers | kind | headers, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)


def make_user(data: Path) -> tuple[str, str]:
    """The user ``demo`` with a fresh password, and a token for this script."""
    context, password = Context.open(Settings(data=data)), secrets.token_urlsafe(12)
    with context.store.writing() as session:
        user = session.scalar(select(User).where(User.name == NAME))
        if user is None:
            user = add_user(session, NAME, password, Role)
        else:
            set_password(session, user, password)
        token = new_token(session, user.id, "scripts/demo")[1]
    context.store.close()
    return password, token


def wait_until_ready(client: Client, server: subprocess.Popen[bytes]) -> None:
    while server.poll() is None:
        try:
            client.ask("GET", "/readyz")
            return
        except urllib.error.URLError:
            time.sleep(0.2)
    sys.exit(server.returncode)


def send(client: Client, case: Path) -> None:
    """Register a patient, and upload the scans in pieces; what is there already stays."""
    patient = client.ask("POST", "/api/v1/patients", {"number": case.name, "name": f"Synthetic, {case.name}"})
    files = [path for path in sorted(case.glob("*.nii.gz")) if not path.name.endswith("-seg.nii.gz")]
    announced = [{"name": path.name, "size": path.stat().st_size} for path in files]
    upload = client.ask("POST", "/api/v1/uploads", {"files": announced, "patient_id": patient["id"]})
    for row, path in zip(upload["files"], files, strict=True):
        content, offset = path.read_bytes(), 0
        while offset < len(content):
            piece = content[offset : offset + upload["piece_bytes"]]
            address = f"/api/v1/uploads/{upload['id']}/files/{row['id']}"
            offset = client.ask("PATCH", address, piece, **{"Upload-Offset": str(offset)})["received"]
    client.ask("POST", f"/api/v1/uploads/{upload['id']}/complete")
    client.ask("POST", f"/api/v1/uploads/{upload['id']}/accept", {})


def main(patients: Path, data: Path, port: str) -> None:
    password, token = make_user(data)
    words = [sys.executable, "-m", "bratsseg", "serve", "--data", str(data), "--port", port]
    server = subprocess.Popen(words)
    try:
        client = Client(f"http://127.0.0.1:{port}", token)
        wait_until_ready(client, server)
        for case in sorted(patients.iterdir()):
            try:
                send(client, case)
            except urllib.error.HTTPError as error:
                if error.code != 409:  # it is there from the last time
                    raise
        print(f"\nOpen {client.address} and log in as {NAME} with the password {password}\nCtrl-C ends it.", flush=True)
        server.wait()
    except KeyboardInterrupt:
        pass
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
