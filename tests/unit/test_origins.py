"""Websites are kept from what listens on this machine: told by headers that no script of theirs can set."""

from collections.abc import Iterator
from http.client import HTTPConnection

import boto3
import pytest

from infra.local.bucket import CREDENTIALS, s3_server
from infra.local.origins import is_foreign


@pytest.mark.parametrize(
    "host",
    [
        *("site.example", "site.example:3000", "127.0.0.1.site.example", "localhost.site.example", "xlocalhost"),
        *("127.0.0.1@site.example", "[::1", "0x7f.1", "127.1", ".", ":3000"),
    ],
)
def test_a_name_that_may_have_been_made_to_lead_here_is_foreign(host: str) -> None:
    assert is_foreign({"host": host}.get)
    assert is_foreign({"host": host, "origin": f"http://{host}", "sec-fetch-site": "same-origin"}.get)


@pytest.mark.parametrize("host", ["127.0.0.1:3000", "localhost", "LOCALHOST:80", "[::1]:3000", "172.17.0.1:40000"])
def test_an_address_or_a_name_of_this_machine_is_not(host: str) -> None:
    assert not is_foreign({"host": host}.get)
    assert not is_foreign({"host": host, "origin": f"http://{host}"}.get)
    assert is_foreign({"host": host, "origin": "http://site.example"}.get)


def test_a_program_that_names_no_host_is_not_foreign() -> None:
    assert not is_foreign(dict[str, str]().get)


class TestTheBucket:
    @pytest.fixture
    def endpoint(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
        for name, value in CREDENTIALS.items():
            monkeypatch.setenv(name, value)
        with s3_server() as address:
            monkeypatch.setenv("AWS_ENDPOINT_URL_S3", address)
            boto3.client("s3").create_bucket(Bucket="kept")
            yield address

    @pytest.mark.parametrize(
        ("method", "path"),
        [("OPTIONS", "/kept/key"), ("PUT", "/kept/key"), ("GET", "/kept"), ("POST", "/moto-api/reset")],
    )
    @pytest.mark.parametrize("headers", [{"Origin": "https://site.example"}, {"Host": "site.example"}], ids=str)
    def test_no_website_reads_writes_or_empties_it(
        self, endpoint: str, method: str, path: str, headers: dict[str, str]
    ) -> None:
        connection = HTTPConnection(endpoint.removeprefix("http://"))
        connection.request(method, path, headers=headers)
        reply = connection.getresponse()
        assert (reply.status, reply.read()) == (403, b"")
        assert not [name for name, _ in reply.getheaders() if name.lower().startswith("access-control")]
        connection.close()
        assert [each["Name"] for each in boto3.client("s3").list_buckets()["Buckets"]] == ["kept"]
        assert "Contents" not in boto3.client("s3").list_objects_v2(Bucket="kept")
