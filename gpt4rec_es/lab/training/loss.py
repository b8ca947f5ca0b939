"""Cross entropy of an output layer in pieces, without the logits of a whole batch in memory.

Logits of 4,000 tokens over 5,000 words are 80 MB, and softmax and its gradient each pass over them
several times. In pieces that fit the processor's cache the same sums take a third of the time. The
gradient is computed together with the loss, piece by piece.
"""

from typing import Any

import torch
from torch.nn import functional

from gpt4rec_es.lab.training.title_targets import Choices

_ELEMENTS = 2**20  # logits at a time: 4 MB


def linear_cross_entropy(hidden: Any, weight: Any, labels: Any) -> Any:
    """Return the mean negative log-likelihood of ``labels`` under ``hidden @ weight.T``.

    hidden: (tokens, width); weight: (words, width); labels: (tokens,), without IGNORED. Products
    use the precision of the surrounding autocast, sums fp32.
    """
    return _LinearCrossEntropy.apply(hidden, weight, labels)


class _LinearCrossEntropy(torch.autograd.Function):  # type: ignore[misc]  # torch leaves it untyped
    @staticmethod
    def forward(ctx: Any, hidden: Any, weight: Any, labels: Any) -> Any:
        """Return the loss; if gradients are needed, store them unscaled."""
        kind = hidden.device.type
        autocast = torch.is_autocast_enabled(kind)
        dtype = torch.get_autocast_dtype(kind) if autocast else hidden.dtype
        wants = any(ctx.needs_input_grad)
        inputs, words = hidden.to(dtype), weight.to(dtype)
        grad_hidden = torch.empty_like(hidden, dtype=torch.float32)
        grad_weight = torch.zeros_like(weight, dtype=torch.float32)
        total = torch.zeros((), device=hidden.device)
        rows = max(1, _ELEMENTS // len(weight))
        for start in range(0, len(labels), rows):
            part, wanted = inputs[start : start + rows], labels[start : start + rows, None]
            logits = (part @ words.T).float()  # (rows, words)
            norm = logits.logsumexp(1, keepdim=True)
            total += (norm - logits.gather(1, wanted)).sum()
            if wants:
                # d loss / d logits: the probabilities, less one at the label.
                errors = logits.sub_(norm).exp_()
                errors.scatter_add_(1, wanted, torch.full_like(norm, -1.0))
                errors = errors.to(dtype)
                grad_hidden[start : start + rows] = errors @ words
                grad_weight += errors.T @ part
        ctx.save_for_backward(grad_hidden, grad_weight)
        ctx.n_tokens = max(len(labels), 1)
        return total / ctx.n_tokens

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        """Return the gradients; scaled here, because small numbers would underflow in fp16."""
        grad_hidden, grad_weight = ctx.saved_tensors
        scale = grad / ctx.n_tokens
        return grad_hidden * scale, grad_weight * scale, None


def choice_loss(hidden: Any, weight: Any, choices: Choices) -> Any:
    """Return the summed cross entropy of given distributions over a few words per state.

    hidden: (places, width); weight: (words, width). Only the logits of the words that a state
    chooses among are computed.
    """
    places, words = choices.places, choices.words
    # As embeddings, because the gradient of an index is many times slower.
    chosen, states = functional.embedding(words, weight), functional.embedding(places, hidden)
    logits = (states * chosen).sum(1).float()  # (entries,)
    tops = logits.new_full((len(hidden),), -torch.inf)
    tops = tops.scatter_reduce(0, places, logits.detach(), "amax")
    sums = torch.zeros_like(tops).index_add(0, places, (logits - tops[places]).exp())
    return (sums.log() + tops).sum() - (logits * choices.chances).sum()
