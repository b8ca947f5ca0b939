"""Names of variables that are no settings: mistakes, and names that other programs read."""

import difflib
from collections.abc import Iterator, Mapping

from gpt4rec_es.settings.variables import PREFIX

# Read by the test suite and by `gpt4rec stack up`: not settings, but known names.
FOREIGN = ("GPT4REC_TEST_", "GPT4REC_PG_BIN", "GPT4REC_BROKER_BIN")
# Names that other clients of the same servers read.
_NOT_READ = {"ELASTICSEARCH_CLOUD_ID": "set ELASTICSEARCH_URL to the deployment's address"}


# Settings of before that are entries of the recipe now (docs/recipes.md).
MOVED = {
    PREFIX + name: entry
    for name, entry in {
        "SOURCES": "fusion.weights",
        "FUSION": "fusion.method",
        "CANDIDATES": "fusion.candidates",
        "FUSION_HISTORY": "fusion.history",
        "HISTORY_DECAY": "fusion.history_decay",
        "QUERY_HITS": "fusion.query_hits",
        "QUERY_DECAY": "fusion.query_decay",
        "RANK_CONSTANT": "fusion.rank_constant",
        "NEIGHBOURS": "fusion.neighbours",
        "PAIR_HISTORY": "fusion.pair_history",
        "PAIR_DECAY": "fusion.pairs.decay",
        "PAIR_BACKWARD": "fusion.pairs.backward",
        "PAIR_POPULARITY": "fusion.pairs.popularity",
        "PAIR_DAMPING": "fusion.pairs.damping",
        "NUM_QUERIES": "decoding.num_queries",
        "NUM_BEAMS": "decoding.num_beams",
        "MAX_NEW_TOKENS": "decoding.max_new_tokens",
        "LENGTH_PENALTY": "decoding.length_penalty",
        "EARLY_STOPPING": "decoding.early_stopping",
        "QUERY_DEDUP_JACCARD": "decoding.query_dedup_jaccard",
        "DTYPE": "decoding.dtype",
        "PROMPT_TITLES": "prompt_titles",
        "REFUSE_REPETITION": "filters.refuse_repetition",
        "CATALOG_SCRIPTS_ONLY": "filters.catalog_scripts_only",
        "MAX_UNKNOWN_FRACTION": "filters.max_unknown_fraction",
        "MINIMUM_SHOULD_MATCH": "search.minimum_should_match",
    }.items()
}
# Settings of before that are limits of the gates now, in one setting.
LIMITS = {
    PREFIX + "MAX_FAILED_FRACTION": "failed",
    PREFIX + "MIN_FULL_FRACTION": "full",
    PREFIX + "MAX_FALLBACK_FRACTION": "fallbacks",
}


def not_read(environ: Mapping[str, str]) -> Iterator[str]:
    """Yield why each set name of another client of our servers has no effect."""
    for name, hint in _NOT_READ.items():
        if environ.get(name):
            yield f"{name} is not read ({hint})"


def misnamed(name: str, known: Mapping[str, object]) -> str:
    """Return why a name in the .env file is probably a mistake; "": it is none of ours."""
    is_other = name.startswith(tuple(f"{one}_" for one in known if not one.startswith(PREFIX)))
    if name in known or name.startswith(FOREIGN) or is_other:
        return ""
    if name in _NOT_READ:
        return f"{name} is not read ({_NOT_READ[name]})"
    is_ours = name.upper().startswith(PREFIX)
    close = difflib.get_close_matches(name.upper(), known, n=1, cutoff=0.6 if is_ours else 0.85)
    return unknown(name, known) if is_ours or close else ""


def unknown(name: str, known: Mapping[str, object]) -> str:
    """Return that a name is no setting, with the setting or the entry that was probably meant."""
    if name.upper() in MOVED:
        return (
            f"{name.upper()} is no setting any more: it is the entry {MOVED[name.upper()]} of the "
            "recipe (change it with `gpt4rec recipes export` and `gpt4rec recipes import`)"
        )
    if name.upper() in LIMITS:
        return (
            f"{name.upper()} is no setting any more: give its value as {LIMITS[name.upper()]}=... "
            f"in {PREFIX}GATE_LIMITS"
        )
    close = difflib.get_close_matches(name.upper(), known, n=1)
    return f"{name} is not a setting" + (f" (did you mean {close[0]}?)" if close else "")
