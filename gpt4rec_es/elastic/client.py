"""The Elasticsearch client. Make one per process: a client shared by forks mixes up answers.

Its own retries are off, because they neither wait nor know which parts of a bulk request or of an
msearch have failed; the loops in index/ and retrieval/ do that, patience.py all other requests.
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
# How the answers to an msearch and to a bulk request begin if a filter leaves only what counts.
MSEARCH_START, BULK_START = b'{"responses":[', b'{"items":['


class _CompatibleOrjson(OrjsonSerializer):
    # The media type that servers of version 8 answer with; orjson takes half the time.
    mimetype = "application/vnd.elasticsearch+json"

    def loads(self, data: bytes) -> Any:
        # Nothing else answers so. Parsed as one, they would be heaps of small containers that no
        # cache holds; retrieval and index read them part by part.
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

    Credentials are an API key, or user and password (also as part of the URL). TLS certificates
    are verified unless told otherwise; ``ca_file`` is a PEM file to verify them with.
    ``connections`` bounds requests in flight, over all threads. ``backoff``: how long a refused
    request is waited out; the default gives up after about a minute.

    Bodies of answers are parsed, but for those of many parts, which stay bytes if they start with
    ``MSEARCH_START`` or ``BULK_START``.

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
    tls = _tls(verify_tls, ca_file) if base.startswith("https://") else {}
    json = _CompatibleOrjson()
    try:
        with warnings.catch_warnings():
            # It repeats what `verify_tls=False` says.
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
    """Return the address that ``client`` talks to, without credentials, for messages."""
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
