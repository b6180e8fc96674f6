"""moto's S3 where containers reach it, that can go away, fall silent, and come back with all that it held."""

import socket
import threading
from types import TracebackType

from werkzeug.serving import BaseWSGIServer

from infra.local.bucket import make_s3_server
from infra.sam.docker import HostAddress


class S3Server:
    """Runs in this process, on a port that stays its own.

    Args:
        host: where to listen, and what containers call it.
    """

    def __init__(self, host: HostAddress) -> None:
        self._host = host
        self._port = 0
        self._server: BaseWSGIServer | None = None
        self._silence: socket.socket | None = None
        self._thread = threading.Thread()

    def __enter__(self) -> "S3Server":
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    @property
    def address(self) -> str:
        """The address on this machine."""
        return f"http://{self._host.listen}:{self._port}"

    @property
    def address_in_containers(self) -> str:
        """The address that containers use."""
        return f"http://{self._host.called}:{self._port}"

    def start(self) -> None:
        """Answer, with what was stored before."""
        self.stop()
        self._server = make_s3_server(self._host.listen, self._port)
        self._port = self._server.port
        self._thread = threading.Thread(target=self._server.serve_forever, name="s3", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Refuse connections."""
        if self._server is not None:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
            self._server = None
        if self._silence is not None:
            self._silence.close()
            self._silence = None

    def fall_silent(self) -> None:
        """Take connections and never answer."""
        self.stop()
        self._silence = socket.create_server((self._host.listen, self._port))
