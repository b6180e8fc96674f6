"""Posts a message to a webhook, as the JSON that Slack takes."""

from html import escape
from ipaddress import ip_address

import urllib3
from sentiloop.sns import NoAnswerError, NotSentError
from urllib3.exceptions import HTTPError, LocationParseError

CONNECT_SECONDS, READ_SECONDS = 3.0, 10.0


class Webhook:
    """One webhook.

    Args:
        url: where to post, with https, or with http on this machine. Whoever knows it may post, so it is in no error.
        read_seconds: how long to wait for the reply.
    """

    def __init__(self, url: str, *, read_seconds: float = READ_SECONDS) -> None:
        self._url = url
        self._timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=read_seconds)

    def send(self, subject: str, text: str) -> None:
        """Post a message once.

        Raises:
            NotSentError: the answer is not a 2xx, or the URL is none to post to.
            NoAnswerError: the answer does not come.
        """
        if not _is_allowed(self._url):
            raise NotSentError("the webhook's URL has to begin with https://")
        # Slack reads these three characters as its markup, and no others.
        body = {"text": escape(f"{subject}\n{text}", quote=False)}
        try:
            with urllib3.PoolManager() as pool:  # without retries no redirect is followed either
                answer = pool.request("POST", self._url, json=body, timeout=self._timeout, retries=False)
        except HTTPError as error:  # its text has the URL
            raise NoAnswerError(f"the webhook does not answer: {type(error).__name__}") from None
        if not 200 <= answer.status < 300:  # noqa: PLR2004
            raise NotSentError(f"the webhook answered {answer.status}")


def _is_allowed(url: str) -> bool:
    try:
        parsed = urllib3.util.parse_url(url)
    except LocationParseError:
        return False
    return bool(parsed.host) and (parsed.scheme == "https" or (parsed.scheme == "http" and _is_here(parsed.host or "")))


def _is_here(host: str) -> bool:
    """Return whether a host is this machine, by a name or address that needs no look-up elsewhere."""
    try:
        return host == "localhost" or ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
