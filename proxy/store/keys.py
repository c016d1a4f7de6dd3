"""Key files: 32 random bytes as 64 hexadecimal characters and a newline, mode 0600. Nothing here logs or derives a key.

A key that changed since the first start is refused: it would silently make new pseudonyms. So is one key under two
names: projects and epochs are unlinkable only with independent keys.
"""

from __future__ import annotations

import os
import re
import secrets
import stat
from pathlib import Path

import sqlalchemy as sa

from proxy.errors import ConfigError
from proxy.store.database import Database
from proxy.store.durable import fsync, make_folder, sync_folder, write_all
from proxy.store.schema import key_check

KEY_BYTES = 32
_MOST_PEM = 1 << 16
_TEXT = re.compile(rb"[0-9a-f]{64}\n?", re.IGNORECASE)


def load_key(path: Path) -> bytes:
    """Read a key that only its owner can read; `ConfigError` for anything else."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        hint = "veil init DIR makes one; a lost key cannot be made again"
        raise ConfigError(str(path), error.strerror or "cannot be read", hint) from None
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise ConfigError(str(path), "the key is not a regular file")
        if status.st_mode & 0o077:
            raise ConfigError(str(path), "others can read this key", f"chmod 600 {path}")
        text = os.read(fd, 2 * KEY_BYTES + 2)
    finally:
        os.close(fd)
    if not _TEXT.fullmatch(text):
        raise ConfigError(str(path), f"a key file holds {2 * KEY_BYTES} hexadecimal characters and a newline")
    return bytes.fromhex(text.decode("ascii"))


def load_certificate(path: Path) -> str:
    """The text of a certificate in PEM; what it says is for who uses it."""
    try:
        with path.open("rb") as file:
            text = file.read(_MOST_PEM + 1)
    except OSError as error:
        raise ConfigError(str(path), error.strerror or "cannot be read") from None
    if len(text) > _MOST_PEM or not text.isascii():
        raise ConfigError(str(path), "no certificate in PEM")
    return text.decode("ascii")


def create_key(path: Path) -> None:
    """Write a fresh random key, durably. Never overwrites: `ConfigError` when ``path`` exists."""
    try:
        make_folder(path.parent)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise ConfigError(str(path), "exists already", "a key is never overwritten") from None
    except OSError as error:
        raise ConfigError(str(path), error.strerror or "cannot be written") from None
    try:
        write_all(fd, [secrets.token_hex(KEY_BYTES).encode("ascii") + b"\n"])
        fsync(fd, "key file")
    except OSError as error:
        path.unlink()
        raise ConfigError(str(path), error.strerror or "cannot be written") from None
    finally:
        os.close(fd)
    sync_folder(path.parent)


def project_key_name(project: str, epoch: int) -> str:
    """The name under which `check_key` remembers a project's key: a new epoch is a new name."""
    return f"project/{project}/{epoch}"


async def check_key(database: Database, name: str, value: str) -> None:
    """Remember a key's check value at first start; `ConfigError` when the key is another one now, or used twice."""

    def compare(connection: sa.Connection) -> str | None:
        rows = connection.execute(sa.select(key_check.c.name, key_check.c.value)).all()
        known = {row.name: row.value for row in rows}
        if name in known:
            return None if known[name] == value else "this key is not the one this data folder was started with"
        for other, taken in known.items():
            if taken == value:
                return f"this key is already the key '{other}'; every project and epoch needs its own"
        connection.execute(sa.insert(key_check).values(name=name, value=value))
        return None

    problem = await database.run(compare)
    if problem is not None:
        raise ConfigError(f"key '{name}'", problem, "restore the old key file, or raise key_epoch for a new key")
