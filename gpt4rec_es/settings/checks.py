"""Checks of single setting values; no setting is named here.

Pure text work. A check never repeats the value of a URL: it may hold a password.
"""

import datetime as dt
import re
from collections.abc import Callable
from urllib.parse import parse_qsl, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

# These may go by a local socket.
_HOSTLESS = {"postgresql", "postgres", "postgresql+psycopg2", "redis+socket", "memory"}
_CRON_FIELDS = 5
# Parameters of a connection, from the manual of libpq.
_LIBPQ = frozenset(
    re.findall(
        r"\w+",
        """
        host hostaddr port dbname user password passfile require_auth channel_binding
        connect_timeout client_encoding options application_name fallback_application_name
        keepalives keepalives_idle keepalives_interval keepalives_count tcp_user_timeout
        replication gssencmode sslmode sslnegotiation sslcompression sslcert sslkey sslpassword
        sslcertmode sslrootcert sslcrl sslcrldir sslsni requirepeer ssl_min_protocol_version
        ssl_max_protocol_version krbsrvname gsslib gssdelegation service target_session_attrs
        load_balance_hosts
        """,
    )
)
_INSTEAD = {
    "ssl": "write sslmode=require",
    "schema": "leave it out",
    "pgbouncer": "leave it out and give the direct address",
}


def url_check(*schemes: str) -> Callable[[str], str]:
    """Return a check that a URL has one of ``schemes``, a host and a port that is a number."""
    allowed = f"must look like {schemes[0]}://user:password@host:port/name"

    def check(url: str) -> str:
        scheme, separator, _ = url.partition("://")
        if not separator or scheme not in schemes:
            raise ValueError(f"{allowed} and begin with one of {', '.join(schemes)}")
        try:
            parts = urlsplit(url)
            # A raw @ in the password would make the rest of it a part of the host's name.
            is_usable = bool(parts.hostname) or scheme in _HOSTLESS
            is_usable = is_usable and parts.netloc.count("@") <= 1
            parts.port  # noqa: B018 - reading it is what checks the number
        except ValueError:
            is_usable = False
        if not is_usable:
            raise ValueError(
                f"{allowed}; write @ : / ? # % in a password as %40 %3A %2F %3F %23 %25"
            )
        return url

    return check


def check_postgres_options(url: str) -> str:
    """Return ``url`` if libpq knows every parameter after its ``?``."""
    for name, _ in parse_qsl(urlsplit(url).query, keep_blank_values=True):
        if name not in _LIBPQ:
            hint = _INSTEAD.get(name, "see the parameters of libpq")
            raise ValueError(f"Postgres' client has no parameter {name} ({hint})")
    return url


def check_broker_database(url: str) -> str:
    """Return ``url`` if a Redis URL ends with the number of a database, or with none."""
    parts = urlsplit(url)
    if parts.scheme in {"redis", "rediss"} and not re.fullmatch(r"/?[0-9]*", parts.path):
        raise ValueError("it must end with the number of a database, as redis://host:6379/0")
    return url


def check_header_text(text: str) -> str:
    """Return ``text`` if an HTTP header can hold it as a key."""
    if not (text.isascii() and text.isprintable()) or " " in text:
        raise ValueError("it has characters that no key has: copy it again, on one line")
    return text


def check_timezone(name: str) -> str:
    """Return ``name`` if it is a time zone that this machine knows."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("must be a known time zone, as Europe/Berlin or UTC") from error
    return name


def check_cron(line: str) -> str:
    """Return ``line`` if it has five cron fields (minute, hour, day, month, day of week)."""
    if len(line.split()) != _CRON_FIELDS:
        raise ValueError("must have five fields (minute hour day month day-of-week), as 0 2 * * *")
    try:
        CronSim(line, dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
    except CronSimError as error:
        raise ValueError(f"is no cron line: {str(error).lower()}") from error
    return " ".join(line.lower().split())
