"""``gpt4rec exporter``: metrics for Prometheus, read from Postgres at each scrape."""

import sys

import click

from gpt4rec_es.cli.context import get_runtime
from gpt4rec_es.cli.options import address


@click.command()
@click.option(
    "--listen",
    default="127.0.0.1:9464",
    show_default=True,
    metavar="HOST:PORT",
    callback=address,
    help="Address and port to serve on. There is no password: use a private network.",
)
@click.option("--once", is_flag=True, help="Print the metrics once and exit.")
def exporter(listen: tuple[str, int], once: bool) -> None:
    """Serve the metrics of nights to Prometheus.

    Metrics are read from Postgres at each scrape, so a restart loses none. Metrics that cannot be
    read in time are left out, and gpt4rec_up is 0.

    Example: gpt4rec exporter --listen 127.0.0.1:9469
    """
    from gpt4rec_es.exporter.collector import PostgresCollector, page, serving
    from gpt4rec_es.exporter.parts import all_parts

    runtime = get_runtime()
    parts = all_parts(runtime.settings.index_alias)
    collector = PostgresCollector(runtime.exporter_engine, parts)
    if once:
        sys.stdout.write(page(collector))
        return
    host, port = listen
    with serving(collector, host, port) as (taken, thread):
        shown = f"[{host}]" if ":" in host else host
        sys.stderr.write(f"Serving metrics on http://{shown}:{taken}/metrics\n")
        thread.join()
