"""The Elasticsearch client. Make one per process: forks that share a client mix up responses.

Its own retries are off, because they neither wait nor know which parts of a bulk request or of an
msearch failed. The loops in index/ and retrieval/ retry those, retries.py all other requests.
"""

import warnings
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from elasticsearch import Elasticsearch
from elasticsearch.serializer import DEFAULT_SERIALIZERS, OrjsonSerializer

from gpt4rec_es.elastic.retries import Backoff, retrying_transport
from gpt4rec_es.errors import UsageError

_HINT = "Write it as http://HOST:9200 or https://HOST:9200."
_PORTS = {"http": 9200, "https": 443}
# How responses of msearch and bulk requests begin with our filter_path.
MSEARCH_START, BULK_START = b'{"responses":[', b'{"items":['


class _CompatibleOrjson(OrjsonSerializer):
    # The media type of servers of version 8; orjson takes half the time.
    mimetype = "application/vnd.elasticsearch+json"

    def loads(self, data: bytes) -> Any:
        # Only these responses start so. Parsed whole they would be many small containers, more
        # than fit into a cache; retrieval and index read them part by part.
        return data if data.startswith((MSEARCH_START, BULK_START)) else super().loads(data)


def make_client(
    url: str,
    *,
    api_key: str | None = None,
    user: str | None = None,
    password: str | None = None,
    ca_file: str | None = None,
    verify_tls: bool = True,
    read_timeout_s: float = 60.0,
    connections: int = 8,
    backoff: Backoff | None = None,
) -> Elasticsearch:
    """Return a client for the cluster at ``url``; nothing is sent yet.

    Credentials are an API key, or user and password (also as part of the URL). ``ca_file`` is a PEM
    file to verify TLS certificates with. ``connections`` bounds requests in flight, over all
    threads. ``backoff``: waits before a refused request is sent again; the default gives up after
    about a minute.

    Response bodies are parsed, except those that start with ``MSEARCH_START`` or ``BULK_START``,
    which stay bytes.

    Raises:
        UsageError: the URL or the combination of credentials cannot be used. No message repeats
            the URL's user or password.
    """
    base, url_user, url_password = _split(url)
    basic = _basic(user or url_user, password or url_password)
    if api_key and basic:
        raise UsageError(
            "Both an API key and a user are given for Elasticsearch.", "Give one of the two."
        )
    if api_key and not (api_key.isascii() and api_key.isprintable()):
        raise UsageError(
            "The Elasticsearch API key has a line break or another character that no key has.",
            "Copy it again, on one line.",
        )
    tls = _tls(verify_tls, ca_file) if base.startswith("https://") else {}
    json = _CompatibleOrjson()
    try:
        with warnings.catch_warnings():
            # It only repeats `verify_tls=False`.
            warnings.simplefilter("ignore")
            return Elasticsearch(
                base,
                api_key=api_key or None,
                basic_auth=basic,
                request_timeout=read_timeout_s,
                transport_class=retrying_transport(backoff or Backoff(attempts=7)),
                max_retries=1,
                retry_on_timeout=False,
                retry_on_status=(),
                connections_per_node=connections,
                serializers={**DEFAULT_SERIALIZERS, json.mimetype: json},
                **tls,
            )
    except (OSError, ValueError) as error:
        raise UsageError(f"The Elasticsearch client cannot be made: {error}.", _HINT) from None


def client_url(client: Elasticsearch) -> str:
    """Return the URL of ``client`` without credentials, for messages."""
    return str(client.transport.node_pool.all()[0].base_url)


def _basic(user: str | None, password: str | None) -> tuple[str, str] | None:
    if user and password:
        return user, password
    if user or password:
        raise UsageError("For Elasticsearch, user and password go together.", "Give both.")
    return None


def _tls(verify: bool, ca_file: str | None) -> dict[str, Any]:
    # Without the client's warning: the operator switched verification off.
    options: dict[str, Any] = {"verify_certs": verify, "ssl_show_warn": False}
    if ca_file:
        if not Path(ca_file).is_file():
            raise UsageError(
                f"There is no CA certificate {ca_file}.", "Correct ELASTICSEARCH_CA_FILE."
            )
        options["ca_certs"] = ca_file
    return options


def _split(url: str) -> tuple[str, str | None, str | None]:
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        raise UsageError("ELASTICSEARCH_URL cannot be read.", _HINT) from None
    if parts.scheme not in _PORTS or not parts.hostname or parts.query or parts.fragment:
        raise UsageError("ELASTICSEARCH_URL is not the address of a server.", _HINT)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    base = f"{parts.scheme}://{host}:{port or _PORTS[parts.scheme]}{parts.path.rstrip('/')}"
    user = unquote(parts.username) if parts.username else None
    return base, user, unquote(parts.password) if parts.password else None
