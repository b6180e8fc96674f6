"""The times that a request asks about, held to what can be answered."""

from datetime import UTC, datetime, timedelta

from sentiloop.errors import InvalidRequestError

_FIRST = datetime.min.replace(tzinfo=UTC)


def in_utc(name: str, moment: datetime) -> datetime:
    """Return a time in UTC; one that names no zone is in UTC already.

    Args:
        name: of the parameter.
        moment: what it says.

    Raises:
        InvalidRequestError: that is before the year 1, or after 9999.
    """
    try:
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except OverflowError:  # in the year 1 or 9999, of some zones
        raise InvalidRequestError(f"{name}: {moment.isoformat()} is out of range", "Name a time that was.") from None


def time_range(
    since: datetime | None, until: datetime | None, present: datetime, *, usual: timedelta, longest: timedelta
) -> tuple[datetime, datetime]:
    """Return begin and end of the time that is asked about, in UTC; it ends now at the latest.

    Args:
        since: what `from` says, if anything.
        until: what `until` says, if anything.
        present: the present time.
        usual: how long it is without `from`.
        longest: how long it may be.

    Raises:
        InvalidRequestError: it is empty or too long.
    """
    end = present if until is None else min(in_utc("until", until), present)
    begin = in_utc("from", since) if since is not None else end - min(usual, end - _FIRST)
    if begin >= end:
        raise InvalidRequestError(
            f"from: {begin.isoformat()} is not before {end.isoformat()}, where the time ends",
            "Give `from` a time that was, and `until` one after it.",
        )
    if end - begin > longest:
        raise InvalidRequestError(
            f"from: {begin.isoformat()} is more than {longest.days} days before {end.isoformat()}",
            f"Ask for {longest.days} days at a time, with `from` and `until`.",
        )
    return begin, end
