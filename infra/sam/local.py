"""`make sam-local`: the whole service on one machine, with each function in a container as Lambda runs it."""

import argparse
import signal
import sys
from contextlib import suppress

from infra.local.up import port_is_free
from infra.sam.build import WORK
from infra.sam.image import BaseImage, present
from infra.sam.stack import Stack, running

BANNER = """
Sentiloop is up: open {url} to try, label, release and watch   (API reference: {url}/docs)
Base image: {image}. S3: {s3} here, {inside} in containers.

  curl -s {url}/v1/predict -H 'content-type: application/json' \\
    -d '{{"text": "The staff were wonderful and we loved every minute."}}'

The first request to each function starts its container and takes seconds. `make sam-invoke-retrain` runs the scheduled
retrain. Ctrl-C stops everything and forgets the bucket.
"""


def main() -> int:
    """Run until interrupted; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=3000)
    port: int = parser.parse_args().port
    if not port_is_free(port):
        sys.exit(f"Port {port} is taken. Stop what uses it, or choose another: make sam-local PORT={port + 10}")
    image = present()
    for number in (signal.SIGINT, signal.SIGTERM):  # a background job of a shell script is started to ignore Ctrl-C
        signal.signal(number, signal.default_int_handler)
    with suppress(KeyboardInterrupt), running(WORK, port) as stack:
        print(_banner(stack, image), flush=True)
        try:
            sys.exit(f"sam local ended by itself, with status {stack.process.wait()}.")
        finally:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C would leave containers behind
            print("Stopping the containers …", flush=True)
    return 0


def _banner(stack: Stack, image: BaseImage) -> str:
    s3 = stack.s3
    return BANNER.format(url=stack.url, image=image, s3=s3.address, inside=s3.address_in_containers)


if __name__ == "__main__":
    sys.exit(main())
