import pytest

from gpt4rec_es.elastic.client import client_url, make_client
from gpt4rec_es.errors import UsageError


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://search", "http://search:9200"),
        ("https://search", "https://search:443"),
        ("http://search:1/es/", "http://search:1/es"),
        ("http://me:s%40cret@search:9201", "http://search:9201"),
        ("http://[::1]:9200", "http://[::1]:9200"),
    ],
)
def test_the_address_is_completed_and_shown_without_credentials(url: str, shown: str) -> None:
    assert client_url(make_client(url)) == shown


@pytest.mark.parametrize(
    "url", ["search:9200", "ftp://search", "http://", "http://search:x", "http://a/?b=c", ""]
)
def test_what_is_no_address_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(UsageError, match="ELASTICSEARCH_URL"):
        make_client(url)


def test_credentials_must_be_complete_and_of_one_kind() -> None:
    with pytest.raises(UsageError, match="go together"):
        make_client("http://search", user="me")
    with pytest.raises(UsageError, match="Both an API key and a user"):
        make_client("http://me:secret@search", api_key="k")


def test_credentials_of_the_url_are_used() -> None:
    client = make_client("http://me:s%40cret@search")
    assert client._headers["authorization"] == "Basic bWU6c0BjcmV0"


def test_a_missing_ca_file_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="no CA certificate"):
        make_client("https://search", ca_file="/nowhere/ca.pem")
