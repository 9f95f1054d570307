"""A second host on this one: a network namespace of its own, and the cable to it, which can be pulled."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

NAMESPACES = "/run/netns"  # where `ip` keeps them
NEEDS_LINK = pytest.mark.skipif(shutil.which("ip") is None, reason="needs `ip` (Debian: iproute2)")


@dataclass(frozen=True, slots=True)
class Link:
    """name: the namespace's, and of what belongs to it. here, there: the IPv4 addresses of both ends."""

    name: str
    here: str
    there: str

    def inside(self, *command: str) -> list[str]:
        """The command as one of that host."""
        return ["ip", "netns", "exec", self.name, *command]

    def cut(self) -> None:
        """From now on nothing comes through, and nobody is told: as where a cable is pulled at the switch."""
        _ip(f"link set {self.name}a nomaster")

    def mend(self) -> None:
        """Put the cable in again."""
        _ip(f"link set {self.name}a master {self.name}s")


@contextmanager
def linked() -> Iterator[Link]:
    """Make both; nothing is left of them afterwards. Skips the test where that may not be."""
    net, name = f"198.18.{os.getpid() % 250}", f"farm{os.getpid()}"  # a network for tests, RFC 2544
    link, was_mounted = Link(name, f"{net}.1", f"{net}.2"), os.path.ismount(NAMESPACES)
    try:
        try:
            _make(link)
        except PermissionError as error:
            pytest.skip(str(error))
        yield link
    finally:
        for gone in (f"netns del {name}", f"link del {name}a", f"link del {name}s"):
            subprocess.run(["ip", *gone.split()], check=False, capture_output=True)
        if not was_mounted and os.path.ismount(NAMESPACES):
            subprocess.run(["umount", NAMESPACES], check=False, capture_output=True)


def _make(link: Link) -> None:
    """Raises PermissionError where some of it cannot be made."""
    name = link.name
    _ip(f"link add name {name}s type bridge")
    _ip(f"addr add {link.here}/24 dev {name}s")
    _ip(f"link add {name}a type veth peer name {name}b")
    _ip(f"netns add {name}")
    _ip(f"link set {name}b netns {name}")
    _ip(f"-n {name} addr add {link.there}/24 dev {name}b")
    for up in (f"link set {name}s", f"link set {name}a", f"-n {name} link set {name}b", f"-n {name} link set lo"):
        _ip(f"{up} up")
    link.mend()


def _ip(words: str) -> None:
    done = subprocess.run(["ip", *words.split()], check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise PermissionError(f"ip {words}: {done.stderr.strip()}")
