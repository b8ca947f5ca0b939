"""Options of the training of a baseline, with the defaults of each method; imports no torch."""

import math
from dataclasses import dataclass, fields
from typing import Any

from gpt4rec_es.errors import UsageError

# Options that a method reads, with their defaults; docs/quality.md has the settings that were
# measured, and the grids that were searched.
DEFAULTS: dict[str, dict[str, Any]] = {
    "bpr_mf": {
        "dim": 64,
        "epochs": 200,
        "lr": 2e-3,
        "batch_size": 1024,
        "samples": 4,
        "l2": 1e-2,
        "patience": 10,
    },
    "fm_bpr": {
        "dim": 64,
        "epochs": 200,
        "lr": 5e-3,
        "batch_size": 1024,
        "samples": 4,
        "l2": 1e-4,
        "patience": 8,
    },
    "sasrec": {
        "dim": 64,
        "epochs": 100,
        "lr": 1e-3,
        "batch_size": 128,
        "samples": 256,
        "length": 50,
        "whole": False,
        "blocks": 1,
        "heads": 1,
        "dropout": 0.2,
        "patience": 10,
    },
    "youtube_dnn": {
        "dim": 64,
        "epochs": 100,
        "lr": 1e-3,
        "batch_size": 512,
        "samples": 1000,
        "length": 20,
        "dropout": 0.2,
        "patience": 10,
    },
    "content_rec": {
        "dim": 64,
        "epochs": 100,
        "lr": 2e-3,
        "batch_size": 512,
        "samples": 100,
        "length": 20,
        "margin": 0.3,
        "patience": 10,
    },
    "bert4rec": {
        "dim": 64,
        "epochs": 300,
        "lr": 1e-3,
        "batch_size": 128,
        "samples": 256,
        "length": 50,
        "whole": False,
        "blocks": 2,
        "heads": 2,
        "dropout": 0.2,
        "masked": 0.2,
        "patience": 20,
    },
}
# In the order in which commands and documents name them.
DEFAULTS = {
    "bpr_mf": DEFAULTS["bpr_mf"],
    "fm_bpr": DEFAULTS["fm_bpr"],
    "sasrec": DEFAULTS["sasrec"],
    "sasrec_text": DEFAULTS["sasrec"],
    **DEFAULTS,
}
_KINDS: dict[Any, str] = {
    bool: "truth value",
    int: "whole number",
    float: "finite number",
    str: "text",
}
BASELINE_NAMES = tuple(DEFAULTS)
# Methods with a vector per user, which new users do not have.
OF_KNOWN_USERS = ("bpr_mf", "fm_bpr")
_OF_PAIRS = frozenset({"bpr_mf", "fm_bpr", "content_rec"})
# Lowest and highest values. The highest sizes are those beyond which no machine has the memory.
_RANGES: dict[str, tuple[float, float]] = {
    "dim": (1, 2**14),
    "epochs": (1, 10**6),
    "batch_size": (1, 10**9),
    "samples": (0, 10**6),
    "l2": (0, math.inf),
    "length": (1, 10**5),
    "blocks": (1, 100),
    "heads": (1, 2**14),
    "margin": (0, math.inf),
    "masked": (0, 1),
    "patience": (1, 10**6),
    "seed": (0, 2**32 - 1),
}


@dataclass(frozen=True, slots=True)
class BaselineOptions:
    """Options of a training; see the help of `gpt4rec train baseline`.

    samples: negatives; 0: all items. length: newest items of a history that are read. whole: train
    on windows of all items of longer histories, too. patience:
    epochs without a better NDCG@10 on validation users after which the training ends. max_norm: to
    which gradients are clipped. margin: of cosines, by which a purchase is to be nearer than other
    items. masked: part of a history's items that are gaps. learn_validation: the validation part
    is training data, too, for exactly ``epochs`` epochs.
    """

    dim: int = 64
    epochs: int = 100
    lr: float = 1e-3
    batch_size: int = 1024
    samples: int = 0
    l2: float = 0.0
    length: int = 50
    whole: bool = False
    blocks: int = 2
    heads: int = 1
    dropout: float = 0.0
    margin: float = 0.3
    masked: float = 0.2
    patience: int = 10
    max_norm: float = 5.0
    seed: int = 1
    learn_validation: bool = False
    device: str = "auto"
    threads: int = 0


def options_of(method: str, **chosen: Any) -> BaselineOptions:
    """Return the options of a training of ``method``; None in ``chosen``: the method's default.

    Raises:
        UsageError: there is no such method, it has no such option, or a value is out of range.
    """
    if method not in DEFAULTS:
        raise UsageError(
            f"There is no trained baseline {method!r}.", f"There are: {', '.join(DEFAULTS)}."
        )
    defaults = DEFAULTS[method]
    common = {"max_norm", "seed", "learn_validation", "device", "threads"}
    given = {name: value for name, value in chosen.items() if value is not None}
    for name in given:
        if name not in defaults and name not in common:
            raise UsageError(
                f"{method} has no option {name}.", f"It has: {', '.join(sorted(defaults))}."
            )
    options = BaselineOptions(**{**defaults, **given})
    check_options(options)
    if method in _OF_PAIRS and options.samples < 1:
        raise UsageError(f"{method} learns from pairs, so samples is at least 1.")
    return options


def check_options(options: BaselineOptions) -> None:
    """Check types and ranges of all options.

    Raises:
        UsageError: a value is of another type, out of range, or no finite number.
    """
    for one in fields(options):
        value = getattr(options, one.name)
        if not is_of(value, one.type):
            raise UsageError(f"{one.name} is {value!r}.", f"It is a {_KINDS[one.type]}.")
        _require_in_range(one.name, value)
    if options.dim % options.heads:
        raise UsageError(f"dim {options.dim} is no multiple of heads {options.heads}.")


def is_of(value: Any, kind: Any) -> bool:
    """Return whether a value read from a file is of a type; whole numbers are floats, too."""
    if kind is float:
        return type(value) in (int, float) and math.isfinite(value)
    return type(value) is kind


def _require_in_range(name: str, value: Any) -> None:
    """Check the value of an option.

    Raises:
        UsageError: it is out of range, or no finite number.
    """
    least, most = _RANGES.get(name, (-math.inf, math.inf))
    if name in _RANGES and not least <= value <= most:
        upper = f" and at most {most:,}" if math.isfinite(most) else ""
        raise UsageError(f"{name} is {value}.", f"It is at least {least}{upper}.")
    if name == "dropout" and not 0 <= value < 1:
        raise UsageError(f"dropout is {value}.", "It is at least 0 and below 1.")
    if name == "lr" and value <= 0:
        raise UsageError(f"lr is {value}.", "It is above 0.")


def exact(value: Any) -> str:
    """Return a number so that reading it gives the same number: 0.3, 5, 1048576."""
    return repr(value).removesuffix(".0")


def as_dict(method: str, options: BaselineOptions) -> dict[str, Any]:
    """Return the options that ``method`` reads as plain values, for cards."""
    names = [*DEFAULTS[method], "max_norm", "seed", "learn_validation"]
    if not options.whole and "whole" in names:
        names.remove("whole")  # newer than the others: unfinished trainings can go on without it
    return {name: getattr(options, name) for name in names}
