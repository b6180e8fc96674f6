"""Who may use the admin routes: whoever sends the admin key, beside the API key that the gateway asks for."""

import hmac
from collections.abc import Awaitable, Callable

from fastapi import Request
from sentiloop.errors import SentiloopError
from sentiloop.settings import Secret, variable

HEADER = "x-admin-key"


class AdminKeyError(SentiloopError):
    """Raise when the admin key is missing or wrong, or none is set."""

    code = "forbidden"
    status = 403
    hint = f"Send the admin key in the {HEADER} header."


def require_admin_key(expected: Secret) -> Callable[[Request], Awaitable[None]]:
    """Return the dependency that lets a request pass if it brings the key; without a key set it lets none pass."""

    async def check(request: Request) -> None:
        if not expected:
            raise AdminKeyError("the admin routes are closed", f"Set {variable('admin_key')} to open them.")
        given = request.headers.get(HEADER, "")
        if not hmac.compare_digest(given.encode(), expected.reveal()):
            raise AdminKeyError("the admin key is missing or wrong")

    return check
