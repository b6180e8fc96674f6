"""The bounds of a text that somebody sends, checked before anything else looks at it."""

from sentiloop.errors import InvalidRequestError


def check_text(name: str, value: object, max_chars: int) -> str:
    """Return the value as a text that can be scored and stored.

    Raises:
        InvalidRequestError: it is no string, blank, too long, or holds half a UTF-16 pair, which is no UTF-8.
    """
    if not isinstance(value, str):
        raise InvalidRequestError(f"{name}: not a string")
    if not value.strip():
        raise InvalidRequestError(f"{name}: is empty", "Send at least one visible character.")
    if len(value) > max_chars:
        raise InvalidRequestError(
            f"{name}: {len(value)} characters, the limit is {max_chars}", "Shorten it or split it into several texts."
        )
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidRequestError(f"{name}: holds an unpaired surrogate", "Send well-formed Unicode.") from None
    return value
