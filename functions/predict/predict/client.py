"""Who asks, so that one client sees one version while another version is on trial; it is neither kept nor logged."""

from typing import Annotated

from fastapi import Header, Request

ClientId = Annotated[
    str | None,
    Header(
        alias="x-client-id",
        min_length=1,
        max_length=200,
        description="Who asks: a client sees one version during a trial. Without it: your API key, or your address.",
    ),
]


def client_of(request: Request, client_id: str | None) -> str:
    """Return the client as the caller names it or, without that, the API key that API Gateway knows, or the address."""
    if client_id is not None:
        return f"client:{client_id}"
    identity = (request.scope.get("aws.event", {}).get("requestContext") or {}).get("identity") or {}
    if key := identity.get("apiKeyId") or identity.get("apiKey"):
        return f"key:{key}"
    host = request.client.host if request.client else ""
    return f"address:{identity.get('sourceIp') or host}"
