"""Elasticsearch's errors as errors of this program: one line and what to do.

An error that waiting, a credential or a repaired server can resolve is a DependencyError, so that
the worker releases its shard unchanged. Bodies and headers are never repeated.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from elastic_transport import ConnectionError as UnreachableError
from elastic_transport import ConnectionTimeout, SerializationError, TlsError, TransportError
from elasticsearch import ApiError, Elasticsearch, UnsupportedProductError
from orjson import JSONDecodeError

from gpt4rec_es.elastic.client import client_url
from gpt4rec_es.elastic.reasons import is_disk_full, reason_of
from gpt4rec_es.elastic.retries import without_retries
from gpt4rec_es.errors import ConflictError, DataError, DependencyError, Gpt4RecError, UsageError

# Status codes after which the same request may succeed later.
TRANSIENT_STATUSES = frozenset({429, 500, 502, 503, 504})
_NOT_ACCEPTABLE = 406
_PAGE_TIMEOUT_S = 5
_CHECK = "Check that the server runs and that ELASTICSEARCH_URL is right."


@contextmanager
def plain_errors(client: Elasticsearch) -> Iterator[None]:
    """Convert client errors raised in the block into ours; others propagate unchanged."""
    try:
        yield
    except (ApiError, TransportError) as error:
        raise plain_error(error, client) from error


def is_transient(error: Exception) -> bool:
    """Return whether the same request may succeed later: overload, or no whole answer."""
    if isinstance(error, ApiError):
        return error.status_code in TRANSIENT_STATUSES and not is_disk_full(error.body)
    if isinstance(error, SerializationError | JSONDecodeError):
        return True  # an answer that was cut off, or the page of a proxy
    return isinstance(error, UnreachableError | ConnectionTimeout) and not isinstance(
        error, TlsError
    )


def plain_error(error: Exception, client: Elasticsearch) -> Gpt4RecError:
    """Return ``error`` as a Gpt4RecError that names the server without credentials."""
    where = f"Elasticsearch at {client_url(client)}"
    # An UnsupportedProductError is an ApiError too, of status 200. OpenSearch refuses the media
    # type of requests with a body.
    if isinstance(error, UnsupportedProductError) or (
        isinstance(error, ApiError) and error.status_code == _NOT_ACCEPTABLE
    ):
        return _no_elasticsearch(client)
    if isinstance(error, ApiError):
        return _response_error(error, where)
    if isinstance(error, TlsError):
        return DependencyError(
            f"{where}: the TLS connection failed ({_root_cause(error)}).",
            "Give the CA's certificate as ELASTICSEARCH_CA_FILE, or check http/https in the URL.",
        )
    if isinstance(error, ConnectionTimeout):
        return DependencyError(
            f"{where} did not answer in time.", "Try again when it has recovered."
        )
    if isinstance(error, SerializationError | JSONDecodeError):
        return DependencyError(f"{where} answered something that is not JSON.", _CHECK)
    return DependencyError(f"{where} cannot be reached: {_root_cause(error)}.", _CHECK)


def _no_elasticsearch(client: Elasticsearch) -> DependencyError:
    """Return the error for another product; OpenSearch names itself on its first page."""
    page: Any = None
    try:
        without_retries(client).options(request_timeout=_PAGE_TIMEOUT_S).info()
    except UnsupportedProductError as error:
        page = error.body
    except (ApiError, TransportError):
        page = None
    version = page.get("version") if isinstance(page, dict) else None
    if isinstance(version, dict) and version.get("distribution") == "opensearch":
        return DependencyError(
            f"The server at {client_url(client)} is OpenSearch {version.get('number', '')}, which "
            "is not supported.",
            "Use Elasticsearch 8.19 or newer; its free Basic licence is enough.",
        )
    return DependencyError(f"The server at {client_url(client)} is not Elasticsearch.", _CHECK)


def disk_error(where: str) -> DependencyError:
    """Return the error for a flood-stage block, which retries do not resolve."""
    return DependencyError(
        f"{where} has blocked writing because its disk is almost full (flood stage).",
        "Free disk space; the block then goes by itself.",
    )


def _response_error(error: ApiError, where: str) -> Gpt4RecError:
    status, reason = error.status_code, reason_of(error.body)
    if is_disk_full(error.body):
        return disk_error(where)
    if status == 409 or "resource_already_exists" in str(error.body):
        return ConflictError(f"{where}: {reason}.", "Something else works on it; try again.")
    if status >= 500 or status == 429:
        return DependencyError(f"{where} cannot work now ({status}: {reason}).", "Try again later.")
    known: dict[int, Gpt4RecError] = {
        401: DependencyError(
            f"{where} refuses the credentials.", "Check the API key, or user and password."
        ),
        403: DependencyError(f"{where} does not allow this: {reason}.", "Check its privileges."),
        404: UsageError(f"{where}: {reason}.", "`gpt4rec reindex` makes an index."),
        413: DataError(f"{where} finds a request too large.", "Raise http.max_content_length."),
    }
    return known.get(status) or UsageError(f"{where} refused the request: {reason}.")


def _root_cause(error: BaseException) -> str:
    """Return the innermost message of "Connection error caused by: X(Y(Z))"."""
    nested = getattr(error, "errors", ())
    while nested:
        error = nested[0]
        nested = getattr(error, "errors", ())
    text = str(getattr(error, "message", None) or error)
    for marker in ("[Errno ", "[SSL: "):
        if marker in text:
            text = text.split(marker, 1)[1].split("]", 1)[-1]
    text = text.split("('")[-1].split(" (_ssl")[0].strip(" ()'\".")
    return text.splitlines()[0] if text else type(error).__name__
