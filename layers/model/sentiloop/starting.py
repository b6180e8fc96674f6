"""Starting a run: what is asked of the retrain function, and the adapter to AWS Lambda that asks it, and nothing else.

The event is handed over and its outcome is not waited for: a run takes up to 15 minutes, and its record tells of it.
"""

import json
from functools import cached_property
from typing import Any, Literal, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from sentiloop.errors import SentiloopError
from sentiloop.settings import variable

StartAction = Literal["retrain", "check"]


class NotStartableError(SentiloopError):
    """Raise when no retrain function is named, so that runs cannot be started from here."""

    code = "not_startable"
    status = 503
    public_message = "runs cannot be started from here"
    hint = (
        f"Set {variable('retrain_function')}; or run `make retrain`, under `make sam-local` `make sam-invoke-retrain`. "
        "The schedule starts runs by itself."
    )


class NotStartedError(SentiloopError):
    """Raise when the retrain function did not take the event, or did not answer; it may be sent again."""

    code = "not_started"
    status = 503
    public_message = "the retrain function did not take the event"
    hint = "Send it again in a minute. A run that was started twice decides the same data once."


class Starter(Protocol):
    """What can start a run."""

    def start(self, action: StartAction, by: str) -> None:
        """Hand the event over.

        Args:
            action: `retrain` learns from all feedback; `check` looks, and retrains if there is cause to.
            by: who asks.

        Raises:
            NotStartableError: nothing is there to start.
            NotStartedError: the event was not taken, or nobody knows whether it was.
        """
        ...


class RetrainFunction:
    """One function of AWS Lambda. Endpoint, region and credentials come from the standard AWS environment variables.

    Args:
        name: the function's name or ARN; empty: none.
        read_timeout: seconds to wait for a reply; somebody waits for it.
        attempts: tries a call, the first included.
    """

    def __init__(self, name: str, *, read_timeout: float = 5, attempts: int = 2) -> None:
        self._name = name
        self._read_timeout = read_timeout
        self._attempts = attempts

    @cached_property
    def _client(self) -> Any:
        from botocore.config import Config  # noqa: PLC0415 - Lambda's description, too, only when a run is started
        from botocore.session import get_session  # noqa: PLC0415

        retries: Any = {"mode": "standard", "total_max_attempts": self._attempts}
        config = Config(connect_timeout=1, read_timeout=self._read_timeout, retries=retries)
        return get_session().create_client("lambda", config=config)

    def start(self, action: StartAction, by: str) -> None:
        """See `Starter.start`."""
        if not self._name:
            raise NotStartableError("no retrain function is named")
        event = json.dumps({"action": action, "by": by}).encode()
        try:
            self._client.invoke(FunctionName=self._name, InvocationType="Event", Payload=event)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            raise NotStartedError(f"the retrain function answered {code}") from error
        except (BotoCoreError, OSError) as error:
            raise NotStartedError(f"the retrain function does not answer: {type(error).__name__}") from error
