"""Tables of a comparison of re-rankers: gains over the named row, special cases, cost."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from benchmarks.reranker_rows import ROWS

Results = Mapping[str, Any]
_BASE, _REFERENCE = "fast", "sasrec"  # rows that goals name


def print_tables(found: Mapping[str, Results]) -> None:
    """Print the tables of all rows that have a result, in Markdown."""
    _print_gains(found)
    _print_goals(found)
    _print_cases(found)
    _print_cost(found)


def with_half(values: Any, digits: int = 4) -> str:
    """Return the mean and half of its 95 % interval, by the normal distribution."""
    half = 1.96 * np.std(values) / len(values) ** 0.5
    return f"{np.mean(values):.{digits}f} ± {half:.{digits}f}"


def values_of(results: Results, metric: str, case: str = "all") -> Any:
    """Return the metric of each user."""
    return np.array(results["cases"][case][metric])


def _print_gains(found: Mapping[str, Results]) -> None:
    print("\n| row | what it is | NDCG@10 | hit rate@10 | gain in NDCG@10 | in hit rate@10 |")
    print("|---|---|---|---|---|---|")
    for name, results in found.items():
        row = ROWS[name]
        what = row.difference if row.against is None else f"`{row.against}`, but: {row.difference}"
        ndcg, hits = (values_of(results, metric) for metric in ("ndcg", "hit_rate"))
        cells = ["", ""]
        if row.against is not None and row.against in found:
            cells = [
                with_half(own - values_of(found[row.against], metric))
                for own, metric in ((ndcg, "ndcg"), (hits, "hit_rate"))
            ]
        means = f"{with_half(ndcg)} | {hits.mean():.4f}"
        print(f"| `{name}` | {what} | {means} | {' | '.join(cells)} |")


def _print_goals(found: Mapping[str, Results]) -> None:
    """Print relative gains of rows that read fields over GPT2Recommender, and over SASRec."""
    enhanced = [name for name in found if ROWS[name].enhanced and ROWS[name].against]
    for against in (_BASE, _REFERENCE):
        if against not in found:
            continue
        print(f"\n| compared with `{against}` | NDCG@10 | hit rate@10 |\n|---|---|---|")
        for name in enhanced:
            cells = []
            for metric in ("ndcg", "hit_rate"):
                other = values_of(found[against], metric)
                gain = values_of(found[name], metric) - other
                cells.append(f"{with_half(100 * gain / other.mean(), 1)} %")
            print(f"| `{name}` | {cells[0]} | {cells[1]} |")


def _print_cases(found: Mapping[str, Results]) -> None:
    names = list(dict.fromkeys(case for results in found.values() for case in results["cases"]))
    sizes = dict.fromkeys(names, 0)
    for results in found.values():
        sizes |= {case: len(values["ndcg"]) for case, values in results["cases"].items()}
    heads = [f"{case} ({sizes[case]} users)" for case in names]
    print(f"\n| NDCG@10 | {' | '.join(heads)} |\n|---|{'---|' * len(names)}")
    for name, results in found.items():
        cells = [with_half(values_of(results, "ndcg", case)) for case in names]
        print(f"| `{name}` | {' | '.join(cells)} |")


def _print_cost(found: Mapping[str, Results]) -> None:
    print(
        "\n| row | epochs | CPU seconds per epoch, cached | dynamic | of all lists | peak MB |"
        "\n|---|---|---|---|---|---|"
    )
    for name, results in found.items():
        seconds = [
            f"{results['seconds'][phase]:.1f}" if phase in results["seconds"] else ""
            for phase in ("cached", "dynamic")
        ]
        print(
            f"| `{name}` | {results['epochs']} | {' | '.join(seconds)} | "
            f"{results['scoring']:.1f} | {results['memory_mb']:.0f} |"
        )
