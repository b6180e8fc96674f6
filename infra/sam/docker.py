"""What is asked of Docker besides what `sam local` does itself: is it there, how does it reach us, what is left."""

import json
import shutil
import socket
import subprocess
import sys
from contextlib import suppress
from ipaddress import ip_network
from typing import NamedTuple

LABEL = "sam.cli.container.type=lambda"
COMMAND_SECONDS = 60


class HostAddress(NamedTuple):
    """Where a server of this machine has to listen, and what containers call that address."""

    listen: str
    called: str


def docker(*arguments: str, seconds: float = COMMAND_SECONDS) -> str:
    """Run a Docker command and return what it prints.

    Raises:
        subprocess.CalledProcessError: it failed.
        subprocess.TimeoutExpired: it took longer than `seconds`.
    """
    command = ["docker", *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=seconds)
    return done.stdout.strip()


def reason(error: subprocess.CalledProcessError | subprocess.TimeoutExpired) -> str:
    """Return the last line of what a failed command said."""
    said = error.stderr if isinstance(error, subprocess.CalledProcessError) else None
    return (said or str(error)).strip().splitlines()[-1]


def require_docker() -> None:
    """Exit with a clear line unless there is a Docker whose daemon answers."""
    if shutil.which("docker") is None:
        sys.exit("Docker is not installed; `sam local` runs the functions in its containers. `make up` does without.")
    try:
        docker("version", "--format", "{{.Server.Version}}")
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        sys.exit(f"Docker's daemon does not answer: {reason(error)}")


def host_address() -> HostAddress:
    """Return how containers reach a server of this machine.

    On Linux the gateway of Docker's bridge is an address of this machine. Where Docker runs in a virtual machine it is
    not; there Docker forwards a name of its own to the loopback.
    """
    [network, *_] = json.loads(docker("network", "inspect", "bridge", "--format", "{{json .IPAM.Config}}"))
    # Older daemons leave the gateway out until the second start; it is the first address of the network.
    gateway = network.get("Gateway") or str(next(ip_network(network["Subnet"]).hosts()))
    try:
        with socket.create_server((gateway, 0)):
            return HostAddress(gateway, gateway)
    except OSError:
        return HostAddress("127.0.0.1", "host.docker.internal")


def sweep(endpoint: str) -> None:
    """Remove the containers that `sam local` started for one stack and left behind.

    Args:
        endpoint: AWS_ENDPOINT_URL_S3 of the stack's functions, which tells its containers from those of others.
    """
    for container in docker("ps", "--all", "--quiet", "--filter", f"label={LABEL}").split():
        with suppress(subprocess.CalledProcessError):  # gone in the meantime
            variables = json.loads(docker("inspect", "--format", "{{json .Config.Env}}", container))
            if f"AWS_ENDPOINT_URL_S3={endpoint}" in variables:
                docker("rm", "--force", container)
