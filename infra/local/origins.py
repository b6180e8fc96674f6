"""Keeps websites away from the servers of this machine, which ask for no key: a browser would take theirs here.

Two headers tell, and no script can set them. `Origin` names the site that a script or a form belongs to. `Host` is the
name that the browser looked up: a site may have its own name lead to this machine (DNS rebinding), and its requests are
then of the same origin; but that name is no address, and none of those that lead here by themselves. What is no browser
sends no `Origin`.
"""

from collections.abc import Callable, Iterable
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

NAMES = ("localhost", "host.docker.internal")  # the second is what containers call the machine that they run on


def is_foreign(header: Callable[[str], str | None]) -> bool:
    """Return whether a website sent a request.

    Args:
        header: returns the header of a name in lower case, or None if the request has none of that name.
    """
    host, origin = header("host") or "", header("origin")
    if host and not _leads_here(host):
        return True
    if origin is None or header("sec-fetch-site") == "same-origin":
        return False
    return origin not in (f"http://{host}", f"https://{host}")


def without_websites(application: "WSGIApplication") -> "WSGIApplication":
    """Return an application that refuses what websites send with 403."""

    def guarded(environment: dict[str, Any], start_response: "StartResponse") -> Iterable[bytes]:
        if is_foreign(lambda name: environment.get(f"HTTP_{name.upper().replace('-', '_')}")):
            start_response("403 Forbidden", [("Content-Length", "0")])
            return []
        return application(environment, start_response)

    return guarded


def _leads_here(host: str) -> bool:
    """Return whether a host is an address, or a name that leads to this machine wherever it is looked up."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    try:
        ip_address(name)
    except ValueError:
        return name in NAMES
    return True
