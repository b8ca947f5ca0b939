"""How every process of ours connects to the broker: with time-outs, and with verified TLS."""

import ssl
from typing import Any

# Seconds to connect, TLS handshake included, and for an answer. Reads by which a worker waits for
# messages have a shorter limit of their own, so this ends none of them.
_CONNECT_S, _ANSWER_S = 3.0, 10.0


def connection_options(url: str) -> dict[str, Any]:
    """Return kombu's ``transport_options`` and ``ssl`` for the broker at ``url``.

    kombu does not verify certificates of rediss by default. ``?ssl_cert_reqs=none`` in the URL
    switches verification off, ``?ssl_ca_certs=FILE`` names a certificate authority.
    """
    scheme = url.partition("://")[0]
    options: dict[str, Any] = {}
    if scheme.startswith("redis"):
        options = {"socket_timeout": _ANSWER_S}
        if scheme != "redis+socket":
            options |= {"socket_connect_timeout": _CONNECT_S, "socket_keepalive": True}
    elif scheme.startswith("amqp"):
        options = {"read_timeout": _ANSWER_S, "write_timeout": _ANSWER_S}
    tls = {"ssl_cert_reqs": ssl.CERT_REQUIRED} if scheme == "rediss" else scheme == "amqps"
    return {"transport_options": options, "ssl": tls}
