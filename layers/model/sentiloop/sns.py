"""The adapter to Amazon SNS: publishing to one topic, and nothing else."""

from functools import cached_property
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import get_session

from sentiloop.errors import SentiloopError

LONGEST_SUBJECT = 99  # characters; SNS takes "less than 100"


class NotSentError(SentiloopError):
    """Raise when a message was not taken; it may be sent again."""


class NoAnswerError(NotSentError):
    """Raise when nobody answered: the next message would wait as long in vain."""


class SnsTopic:
    """One topic. Endpoint and credentials come from the standard AWS environment variables, the region from its ARN.

    Args:
        arn: the topic's ARN.
        read_timeout: seconds to wait for a reply.
        attempts: tries a call, the first included.
    """

    def __init__(self, arn: str, *, read_timeout: float = 5, attempts: int = 3) -> None:
        self._arn = arn
        self._read_timeout = read_timeout
        self._attempts = attempts

    @cached_property
    def _client(self) -> Any:
        retries: Any = {"mode": "standard", "total_max_attempts": self._attempts}
        config = Config(connect_timeout=3, read_timeout=self._read_timeout, retries=retries)
        region = dict(enumerate(self._arn.split(":"))).get(3)
        return get_session().create_client("sns", region_name=region, config=config)

    def publish(self, subject: str, text: str) -> None:
        """Send a message to all who subscribed.

        Args:
            subject: printable ASCII, `LONGEST_SUBJECT` characters at most; the subject of an e-mail.
            text: up to 256 KB.

        Raises:
            NotSentError: SNS did not take it.
            NoAnswerError: its reply did not come.
        """
        try:
            self._client.publish(TopicArn=self._arn, Subject=subject, Message=text)
        except ClientError as error:
            raise NotSentError(f"the topic answered {error.response.get('Error', {}).get('Code', '')}") from error
        except (BotoCoreError, OSError) as error:
            raise NoAnswerError(f"the topic does not answer: {type(error).__name__}") from error
