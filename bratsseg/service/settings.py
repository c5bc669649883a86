"""What a service is started with."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path

from pydantic import Field, field_validator

from bratsseg.config import Config

MIB = 1 << 20
_LOOPBACK = ("127.0.0.1", "::1")
_EVERY_ADDRESS = ("0.0.0.0", "::", "")


class Limits(Config):
    """How much a client may send. Bytes."""

    piece: int = 8 * MIB
    """One piece of a resumable upload."""
    file: int = 2048 * MIB
    """One uploaded file."""
    study: int = 4096 * MIB
    """All files of one upload together, and what a zip may unpack to."""
    files: int = Field(default=64, ge=1)
    """Files in one upload, and in one zip."""
    expansion: int = 200
    """How many times its own size a zip may unpack to."""
    voxels: int = 128 * MIB
    """Voxels of one volume: 512 x 512 x 512; a few kilobytes of gzip can promise any number. BraTS has 9 million."""
    volume: int = 512 * MIB
    """What one volume may take in memory as it is stored: 512 x 512 x 512 in 32 bits, or 64 bits of a quarter of it."""
    study_voxels: int = 192 * MIB
    """Voxels of all scans of a study together: four of 512 x 512 x 192. Server and worker hold them at once."""
    unfinished: int = 20
    """Uploads of one user that are no studies yet."""
    unfinished_bytes: int = 16_384 * MIB
    """All of them together."""
    drafts: int = 100
    """Drawings of one user that are not saved as corrections yet."""
    waiting: int = Field(default=16, ge=1)
    """Checks that wait for their turn, and corrections that do."""
    photo: int = 8 * MIB
    """A patient's photo."""
    drawing: int = 64 * MIB
    """A corrected label map."""
    form: int = MIB
    """Any other request."""
    header_seconds: float = Field(default=15.0, gt=0, le=20)
    """The head of a request that takes longer ends its connection."""
    connections: int = Field(default=1000, ge=10)
    """Connections at once; beyond them the one that has asked nothing for the longest is closed."""
    connections_of_one: int = Field(default=150, ge=1)
    """Connections of one address, and requests at once of one behind a proxy. A clinic may have one address."""
    piece_seconds: float = 60.0
    """A piece that takes longer is refused, so that slow senders do not hold the service."""


class JobRules(Config):
    """How jobs are kept alive."""

    lease_seconds: float = 30.0
    """A running job whose worker has not been heard of for so long is given to another."""
    attempts: int = Field(default=2, ge=1)
    """How often a job is tried."""
    poll_seconds: float = 0.5
    """How often an idle worker asks, and how often a page is told."""


class AccountRules(Config):
    """How long a log-in lasts, and how often one may be tried."""

    session_hours: float = 12.0
    """A session ends after so long, whatever happens."""
    idle_minutes: float = 60.0
    """A session that is not used ends after so long."""
    failures: int = Field(default=5, ge=1)
    """Wrong passwords for one name and address until it must wait."""
    failure_minutes: float = 5.0
    """How long it must wait."""
    requests_per_second: float = 40.0
    """What one user or address may ask for in the long run."""
    burst: int = 200
    """What one user or address may ask for at once."""


class Settings(Config):
    """One service over one folder."""

    data: Path
    """Folder that holds everything: database, studies, results. Made when there is none."""
    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = Field(default=8000, ge=0, le=65535)
    """Port to listen on."""
    https: bool = False
    """Reached by https (through a proxy): cookies are then sent over https only."""
    proxies: tuple[str, ...] = ()
    """Addresses or networks of proxies whose X-Forwarded-For and -Proto are believed; with ``https`` and none named,
    one on this machine."""
    hosts: tuple[str, ...] = ()
    """Names by which browsers may call this service (the Host header), besides ``host`` and those of this machine."""
    model: str = "default"
    """Model that is used when none is named."""
    models: tuple[str, ...] = ()
    """Folders of models besides those that ship."""
    device: str = "auto"
    """Where the worker computes: auto, cpu or cuda:N."""
    threads: int | None = Field(default=None, ge=1)
    """Threads the worker computes with; None leaves that to torch."""
    limits: Limits = Limits()
    """How much a client may send."""
    jobs: JobRules = JobRules()
    """How jobs are kept alive."""
    sweep_minutes: float = Field(default=60.0, gt=0)
    """How often uploads that nobody went on with are cleared away."""
    accounts: AccountRules = AccountRules()
    """How long a log-in lasts, and how often one may be tried."""

    @field_validator("proxies")
    @classmethod
    def _networks(cls, proxies: tuple[str, ...]) -> tuple[str, ...]:
        for proxy in proxies:
            try:
                ip_network(proxy, strict=False)
            except ValueError:
                text = f"must be addresses or networks such as 10.0.0.5 or 10.0.0.0/24, was {proxy}"
                raise ValueError(text) from None
        return proxies

    @property
    def trusted_proxies(self) -> tuple[str, ...]:
        """Whom to believe for whom a request comes from; nobody when no proxy is meant."""
        return self.proxies or (_LOOPBACK if self.https else ())

    @property
    def accepted_hosts(self) -> frozenset[str] | None:
        """The names of the Host header that are answered; None for any, where ``host`` is every address of a machine
        whose names nobody gave."""
        if self.host in _EVERY_ADDRESS and not self.hosts:
            return None
        named = {name.lower() for name in (*self.hosts, self.host)}
        return frozenset(named | {"localhost", *_LOOPBACK}) - set(_EVERY_ADDRESS)

    @property
    def database(self) -> str:
        """The database's URL. The one place that says SQLite."""
        return f"sqlite:///{self.database_file}"

    @property
    def uploads(self) -> Path:
        """Pieces of uploads that are not studies yet."""
        return self.data / "uploads"

    @property
    def studies(self) -> Path:
        """Scans of accepted studies: ``<study>/<modality>.nii.gz``."""
        return self.data / "studies"

    @property
    def results(self) -> Path:
        """Results: ``<job>/<study>/<study>.json``, as ``bratsseg segment`` writes them."""
        return self.data / "results"

    @property
    def corrections(self) -> Path:
        """Label maps that a reader drew, with what was measured of them: a folder ``<review>`` each."""
        return self.data / "corrections"

    @property
    def drafts(self) -> Path:
        """Drawings that are not saved as corrections yet: ``<file>.nii.gz`` each."""
        return self.data / "drafts"

    @property
    def photos(self) -> Path:
        """Photos of patients: ``<photo>.jpg``."""
        return self.data / "photos"

    @property
    def database_file(self) -> Path:
        """Where SQLite keeps it."""
        return self.data / "bratsseg.sqlite"

    def make_folders(self) -> None:
        """Make the folder and its subfolders, closed to other users of the machine."""
        self.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        for folder in (self.uploads, self.studies, self.results, self.corrections, self.drafts, self.photos):
            folder.mkdir(exist_ok=True, mode=0o700)
        self.database_file.touch(
            mode=0o600
        )  # SQLite would let everybody read it, where the folder was there before and open
