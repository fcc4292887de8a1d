"""Where things live: the checkout, the installed packages, and the state folder of one stack."""

from __future__ import annotations

import hashlib
import os
import pwd
import stat
import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[3]
PRIVATE = CHECKOUT / ".rowcast"
NODE_MODULES = CHECKOUT / "node_modules"

# Unix sockets have room for 107 bytes, and supervisord appends its process id while it binds.
_LONGEST_SOCKET_PATH = 95


@cache
def database_user() -> pwd.struct_passwd | None:
    """The unprivileged account that PostgreSQL runs as, or None when we are not root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    return None


def usable(folder: Path) -> Path:
    """Return `folder`, or a stand-in under /var/lib when PostgreSQL's account cannot enter it."""
    folder = folder.expanduser().absolute()
    user = database_user()
    if user is None or all(_may_enter(parent, user) for parent in folder.parents):
        return folder
    return Path("/var/lib/rowcast") / hashlib.sha256(bytes(folder)).hexdigest()[:12]


def _may_enter(folder: Path, user: pwd.struct_passwd) -> bool:
    """Whether `user` may traverse `folder`; one that does not exist yet is made open."""
    try:
        info = folder.stat()
    except FileNotFoundError:
        return True
    if info.st_uid == user.pw_uid:
        return bool(info.st_mode & stat.S_IXUSR)
    return bool(info.st_mode & stat.S_IXOTH)


def make_enterable(folder: Path) -> None:
    """Create `folder` so that PostgreSQL's account can enter it, whatever the umask is."""
    folder.mkdir(parents=True, exist_ok=True)
    if database_user() is not None:
        folder.chmod(folder.stat().st_mode | 0o711)


def packages_folder() -> Path:
    """Where PostgreSQL and its tools are installed, shared by all stacks of this checkout."""
    return usable(PRIVATE) / "packages"


def default_home() -> Path:
    """The state folder: ROWCAST_HOME, else `.rowcast` of the checkout."""
    return Path(os.environ.get("ROWCAST_HOME") or PRIVATE)


def binary(name: str) -> Path:
    """An executable that a pinned Python package brought, next to this interpreter."""
    return Path(sys.executable).parent / name


@dataclass(frozen=True, slots=True)
class Home:
    """The files of one stack, all under one folder."""

    root: Path

    @classmethod
    def at(cls, folder: Path) -> Home:
        """The stack whose state is kept in `folder` (or its stand-in, see `usable`)."""
        return cls(usable(folder))

    @property
    def state_file(self) -> Path:
        """Ports, keys and passwords (mode 0600)."""
        return self.root / "state.json"

    @property
    def data(self) -> Path:
        """The database cluster."""
        return self.root / "data"

    @property
    def logs(self) -> Path:
        """One log file per process."""
        return self.root / "logs"

    @property
    def auth(self) -> Path:
        """Working folder of the Auth and Storage server: its config and the stored objects."""
        return self.root / "auth"

    @property
    def deno_cache(self) -> Path:
        """Deno's cache, kept away from the user's own."""
        return self.root / "deno"

    @property
    def supervisor_config(self) -> Path:
        """The generated configuration of supervisord (holds keys: mode 0600)."""
        return self.root / "supervisord.conf"

    @property
    def socket(self) -> Path:
        """supervisord's control socket."""
        path = self.root / "supervisor.sock"
        if len(bytes(path)) <= _LONGEST_SOCKET_PATH:
            return path
        name = hashlib.sha256(bytes(self.root)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"rowcast-{os.getuid()}-{name}.sock"

    def log(self, process: str) -> Path:
        """The log file of one process."""
        return self.logs / f"{process}.log"

    def create(self) -> None:
        """Make the folders; PostgreSQL's account must be able to enter the root."""
        make_enterable(self.root)
        for folder in (self.logs, self.auth, self.deno_cache):
            folder.mkdir(mode=0o700, exist_ok=True)
