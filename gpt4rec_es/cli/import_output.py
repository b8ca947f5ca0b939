"""The report of an import as text."""

from typing import TYPE_CHECKING

from gpt4rec_es.cli.output import plural, print_line, print_table

if TYPE_CHECKING:
    from gpt4rec_es.catalog.import_job import ImportReport


def render(report: "ImportReport") -> None:
    """Print what was read, found out, left out, changed and set aside."""
    for name, shape in zip(report.files, report.shapes, strict=True):
        print_line(f"{name} ({shape})")
    for one in report.said:
        print_line(f"found out: {one}")
    rejected = sum(report.rejected.values())
    print_line(
        f"{plural(report.records, 'record')} in {report.seconds:.1f} s, {rejected:,} set aside"
    )
    if report.skipped:
        left_out = ", ".join(f"{n:,} x {reason}" for reason, n in report.skipped.items())
        print_line(f"skipped: {left_out}")
    if report.error is None:
        print_line(_changes(report))
        _render_fields(report)
    if rejected:
        _render_rejects(report)


def _render_fields(report: "ImportReport") -> None:
    if report.without:
        counts = ", ".join(
            f"{name} {after:,} (before: {before:,})"
            for name, (before, after) in report.without.items()
        )
        print_line(f"items of the catalog without {counts}")
    if report.kept:
        counts = ", ".join(f"{name} {n:,}" for name, n in report.kept.items())
        print_line(f"empty in the files, so kept (--on-empty clear erases them): {counts}")
    for one in report.warnings:
        print_line(f"warning: {one}")


def _render_rejects(report: "ImportReport") -> None:
    print_table(["reason", "records"], list(report.rejected.items()))
    print_table(
        ["file", "line", "reason", "what is wrong", "record"],
        [(one.file, one.line, one.code, one.reason, one.excerpt) for one in report.first_rejects],
        title="The first records set aside",
    )
    if report.import_no is not None:
        print_line(f"all of them: analytics.rejects, import {report.import_no}")


def _changes(report: "ImportReport") -> str:
    counts = {
        "new": report.inserted,
        "changed": report.updated,
        "unchanged": report.unchanged,
        "replaced by a later record": report.duplicates,
        "deactivated": report.deactivated,
        "new users": report.users_created,
    }
    always = {"new", "changed", "unchanged"}
    shown = ", ".join(f"{n:,} {name}" for name, n in counts.items() if n or name in always)
    if report.is_dry_run:
        return f"would be: {shown}; nothing was changed"
    return f"{shown}; version {report.version}"
