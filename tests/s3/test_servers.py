"""Every S3 server keeps the storage port's contract over HTTP, and listens on the loopback alone."""

from pathlib import Path

import pytest

from tests.s3.processes import Server
from tests.store.test_s3 import TestContract

__all__ = ["TestContract"]  # collected here as well, with this folder's `any_store`
LISTENING = "0A"
LOOPBACK = "0100007F"  # as the kernel writes 127.0.0.1


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="reads who listens there")
def test_a_server_listens_on_the_loopback_alone(server: Server) -> None:
    links = [link.readlink().name for link in Path(f"/proc/{server.pid}/fd").iterdir()]
    sockets = {link.removeprefix("socket:[").removesuffix("]") for link in links if link.startswith("socket:[")}
    listening = []
    for protocol in ("tcp", "tcp6"):
        for line in Path(f"/proc/{server.pid}/net/{protocol}").read_text().splitlines()[1:]:
            _, local, _, state, *_, inode = line.split()[:10]
            if state == LISTENING and inode in sockets:
                listening.append(local)
    assert [address.partition(":")[0] for address in listening] == [LOOPBACK]
