"""Who sent a correction, as a keyed hash: enough to bound one contributor's influence, useless to find the person."""

import hmac

from fastapi import Request
from sentiloop.settings import Settings


def contributor_of(request: Request, settings: Settings, user: str | None = None) -> str:
    """Return the hash of the caller's API key as API Gateway knows it or, without one, of the client's address.

    Where the caller tells its users apart, each is a contributor: `user` goes into the hash, and is kept nowhere.
    """
    identity = (request.scope.get("aws.event", {}).get("requestContext") or {}).get("identity") or {}
    if key := identity.get("apiKeyId") or identity.get("apiKey"):
        who = f"key:{key}"
    else:
        client = request.client.host if request.client else ""
        who = f"address:{identity.get('sourceIp') or client}"
    if user is not None:
        who = f"{who}\0user:{user}"
    return hmac.new(settings.contributor_key.reveal(), who.encode(), "sha256").hexdigest()[:32]
