"""Values of NTXentLoss of pytorch-metric-learning, an oracle of the contrastive loss.

It is not installed with the project; ``make oracles`` runs this in a separate environment.
"""

import json
import sys
from pathlib import Path

import torch
from pytorch_metric_learning.losses import NTXentLoss


def main(path: Path) -> None:
    """Write the views of some batches and their losses to ``path``."""
    torch.manual_seed(3)
    cases = []
    for rows, temperature, pairs in ((2, 0.5, []), (6, 0.1, []), (6, 0.1, [(0, 3), (1, 4)])):
        first, second = torch.randn(rows, 4), torch.randn(rows, 4)
        same = torch.eye(rows, dtype=torch.bool)
        for one, other in pairs:
            same[one, other] = same[other, one] = True
        own = torch.arange(rows)
        # Anchors with their positives, then anchors with their negatives.
        indices = (own, own, *(~same).nonzero(as_tuple=True))
        loss = NTXentLoss(temperature=temperature)
        sides = [
            loss(a, own, indices_tuple=indices, ref_emb=b, ref_labels=own)
            for a, b in ((first, second), (second, first))
        ]
        cases.append(
            {
                "first": first.tolist(),
                "second": second.tolist(),
                "same": same.tolist(),
                "temperature": temperature,
                "loss": float(sum(sides) / 2),
            }
        )
    path.write_text(json.dumps(cases, indent=1) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
