"""Weighted sources of candidates as one text, as options of commands take them."""

from gpt4rec_es.options.features import LARGEST, SOURCES


def parse_sources(text: str) -> tuple[tuple[str, float], ...]:
    """Return ``text``, as in "queries:0.1,co_purchase:0.9", as (source, weight); no weight is 1."""
    pairs = []
    for part in text.split(","):
        name, _, weight = part.strip().partition(":")
        try:
            pairs.append((name.strip(), float(weight) if weight.strip() else 1.0))
        except ValueError:
            raise ValueError(
                "must be sources with weights, as queries:0.1,co_purchase:0.9"
            ) from None
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names) or not set(names) <= set(SOURCES):
        raise ValueError(f"must be of {', '.join(sorted(SOURCES))}, each only once")
    weights = [weight for _, weight in pairs]
    if not all(0 <= weight <= LARGEST for weight in weights) or not any(weights):
        raise ValueError(f"weights must be 0 to {LARGEST}, and one of them above 0")
    return tuple(pairs)
