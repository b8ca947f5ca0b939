"""Numbers of every command: no option takes what no computation can use."""

from collections.abc import Iterator

import click
import pytest

from gpt4rec_es.cli.main import cli
from gpt4rec_es.cli.reference import commands
from gpt4rec_es.cli.train_baseline import _final_command
from gpt4rec_es.lab.baselines.baseline_options import as_dict, options_of
from gpt4rec_es.lab.baselines.train_baseline import BaselineReport


def options() -> Iterator[tuple[str, click.Parameter]]:
    for path, command in commands(cli):
        for option in command.params:
            yield f"{' '.join(path)} {option.name}", option


def test_no_number_is_nan_or_infinite() -> None:
    taken = []
    for where, option in options():
        for value in ("nan", "inf", "-inf"):
            if "float" in option.type.name:
                try:
                    option.type.convert(value, option, None)
                except click.BadParameter:
                    continue
                taken.append(f"{where} {value}")
    assert not taken


def test_a_seed_is_one_that_all_random_generators_take() -> None:
    seeds = [(where, one) for where, one in options() if "seed" in where.split()[-1]]
    assert len(seeds) >= 6
    for where, option in seeds:
        assert option.type.convert("4294967295", option, None) == 2**32 - 1, where
        for value in ("-1", "1" + "0" * 23):
            with pytest.raises(click.BadParameter):
                option.type.convert(value, option, None)


def test_the_final_command_has_exact_values() -> None:
    given = options_of("bpr_mf", batch_size=2**20, lr=0.0012345678, l2=5.0, seed=7)
    card = {
        "data": {"split": "loo"},
        "options": as_dict("bpr_mf", given),
        "epochs": [{"ndcg": 0.1}, {"ndcg": 0.3}, {"ndcg": 0.2}],
    }
    said = _final_command(BaselineReport("x", "bpr_mf", "x", "hash", card))
    assert said.startswith("gpt4rec train baseline bpr_mf --split loo --name x-final --epochs 2 ")
    for part in ("--batch-size 1048576", "--lr 0.0012345678", "--l2 5", "--seed 7"):
        assert f"{part} " in f"{said} "
