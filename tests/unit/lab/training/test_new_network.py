from gpt4rec_es.lab.training.new_network import new_network


def test_sizes() -> None:
    parameters = {
        size: sum(weights.numel() for weights in new_network(size, vocab, 0).parameters())
        for size, vocab in (("tiny", 3000), ("gpt2", 50257))
    }
    assert 1_000_000 < parameters["tiny"] < 2_000_000
    assert parameters["gpt2"] == 124_439_808  # the published GPT-2 small
