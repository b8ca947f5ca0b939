"""``gpt4rec doctor``: check everything the program needs."""

from typing import TYPE_CHECKING

import click

from gpt4rec_es.cli.context import get_runtime
from gpt4rec_es.cli.options import json_option
from gpt4rec_es.cli.output import emit, print_line
from gpt4rec_es.cli.progress import progress_bar

if TYPE_CHECKING:
    from gpt4rec_es.doctor.examine import Environment
    from gpt4rec_es.doctor.findings import Finding
    from gpt4rec_es.runtime import Runtime

# So long a hanging server holds up each look at it.
_TIMEOUT_S = 10


@click.command()
@json_option
@click.pass_context
def doctor(ctx: click.Context, as_json: bool) -> None:
    """Check servers, roles, index builds, disks, the generator and settings; suggest remedies.

    Exit code 0: no problem; 1: warnings; 2: a night would fail.

    Example: gpt4rec doctor
    """
    from gpt4rec_es.doctor.examine import examine
    from gpt4rec_es.doctor.findings import EXIT_CODES, worst

    with progress_bar("Looking", "checks") as progress:
        found = examine(_environment(get_runtime()), progress=progress)
    emit(found, as_json, _render)
    ctx.exit(EXIT_CODES[worst(found)])


def _environment(runtime: "Runtime") -> "Environment":
    from gpt4rec_es.doctor.examine import Environment

    chosen = runtime.settings

    def describe_device(device: str) -> str:
        from gpt4rec_es.encoders.network import describe_device as describe

        return describe(device)

    def ping_broker() -> None:
        from workers.notify import ping

        ping(chosen.require("celery_broker_url"))

    return Environment(
        settings=chosen,
        engine=lambda: runtime.engine,
        any_schema_engine=lambda: runtime.any_schema_engine("database_url"),
        owner_engine=lambda: runtime.any_schema_engine("owner_database_url"),
        analyst_engine=(lambda: runtime.analyst_engine) if chosen.analyst_database_url else None,
        elastic=lambda: runtime.elastic.options(request_timeout=_TIMEOUT_S, max_retries=0),
        analysis=runtime.analysis,
        open_generator=runtime.generator,
        describe_device=describe_device,
        ping_broker=ping_broker if chosen.celery_broker_url else None,
    )


def _render(found: "list[Finding]") -> None:
    for one in found:
        print_line(f"{one.level:<8} {one.check}: {one.what}")
        if one.way_out:
            print_line(f"{'':8} -> {one.way_out}")
