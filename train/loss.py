"""Label-smoothed cross-entropy on a tied projection, without ever holding the logits of a whole batch.

The logits are the largest tensor of a training step: tokens x vocabulary. Here they live a slice at a time, and the
gradient is formed with them: softmax minus target, whose one-hot and uniform parts need no matrix at all.
`tests/benchmarks/training.py` times it against the textbook's loss.
"""

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from malaygpt.model import Transformer
from malaygpt.tokenizer import PAD_ID
from train.batch import Batch

ROWS = {"cpu": 1024, "cuda": 8192}
"""Rows of logits alive at a time: as many as caches hold, or as a GPU needs to be busy"""


def batch_loss(model: Transformer, batch: Batch, smoothing: float, num_tokens: int | None = None) -> Tensor:
    """Label-smoothed cross-entropy of the batch's target tokens, in nats: their mean, or their sum over `num_tokens`"""
    src_mask = model.padding_mask(batch.src)
    hidden = model.decode(batch.tgt, model.encode(batch.src, src_mask), src_mask)
    return smoothed_cross_entropy(hidden, model.embedding.weight, batch.labels, smoothing, PAD_ID, num_tokens)


class BatchLoss(nn.Module):
    """`batch_loss` as a module, which is what DistributedDataParallel takes."""

    def __init__(self, model: Transformer, smoothing: float) -> None:
        super().__init__()
        self.model = model
        self.smoothing = smoothing

    def forward(self, batch: Batch, num_tokens: int) -> Tensor:
        """The share of the batch in the mean over `num_tokens`, those of all slices and processes"""
        return batch_loss(self.model, batch, self.smoothing, num_tokens)


@torch.no_grad()
def mean_loss(model: Transformer, batches: Iterable[Batch]) -> float:
    """Cross-entropy in nats a target token over all batches, without smoothing, the right prefix always given"""
    total, num_tokens = 0.0, 0
    for batch in batches:
        tokens = batch.num_tokens
        total += batch_loss(model, batch.to(model.embedding.weight.device), 0.0).item() * tokens
        num_tokens += tokens
    return total / max(1, num_tokens)


def smoothed_cross_entropy(
    hidden: Tensor,
    embedding: Tensor,
    labels: Tensor,
    smoothing: float,
    pad_id: int,
    num_tokens: int | None = None,
) -> Tensor:
    """The mean over all labels that are not padding of -log p(label), each target mixed with `smoothing` of uniform.

    With `num_tokens` the sum is divided by it and not by the number of these labels, of which there may then be none.

    hidden (B, T, D), embedding (V, D), labels (B, T) -> scalar, float32: the value of `F.cross_entropy(logits, labels,
    ignore_index=pad_id, label_smoothing=smoothing)` where logits = hidden @ embedding.T. Under autocast the products
    are in its type.
    """
    device_type = hidden.device.type
    dtype = torch.get_autocast_dtype(device_type) if torch.is_autocast_enabled(device_type) else hidden.dtype
    needs_grad = torch.is_grad_enabled()
    return _TiedCrossEntropy.apply(
        hidden.flatten(0, 1), embedding, labels.flatten(), smoothing, pad_id, num_tokens, dtype, needs_grad
    )


class _TiedCrossEntropy(torch.autograd.Function):
    """Gradients are formed in the forward pass, while each slice of the softmax is at hand."""

    @staticmethod
    def forward(
        ctx,
        hidden: Tensor,
        embedding: Tensor,
        labels: Tensor,
        smoothing: float,
        pad_id: int,
        num_tokens: int | None,
        dtype: torch.dtype,
        needs_grad: bool,
    ) -> Tensor:
        # Padding is weighed with zero rather than left out: matrix products of ever new shapes are slow on the CPU.
        real = (labels != pad_id).unsqueeze(1)  # (rows, 1)
        hidden_type, hidden = hidden.dtype, hidden.to(dtype) * real
        table = embedding.to(dtype)
        mean_embedding = embedding.float().mean(0)
        tiny = torch.finfo(torch.float32).tiny
        loss = torch.zeros((), device=hidden.device)
        grad_hidden = torch.empty_like(hidden, dtype=torch.float32)
        grad_embedding = torch.zeros_like(embedding, dtype=torch.float32)
        rows_at_once = ROWS[hidden.device.type]
        for start in range(0, hidden.size(0), rows_at_once):
            rows = slice(start, start + rows_at_once)
            x, y = hidden[rows], labels[rows, None]
            logits = x @ table.T  # (rows, V)
            probabilities = logits.softmax(-1, dtype=dtype)  # the type is named because a GPU's autocast would widen it
            label_logits = logits.gather(1, y).float()
            # log p = logit - log_normaliser: one pass of softmax gives both. p may be as small as the type can say.
            label_probabilities = probabilities.gather(1, y).float().clamp_min(tiny)
            log_normaliser = label_logits - label_probabilities.log()
            mean_logits = (x.float() * mean_embedding).sum(1, keepdim=True)
            losses = log_normaliser - (1 - smoothing) * label_logits - smoothing * mean_logits
            loss += losses.masked_fill(~real[rows], 0).sum()
            if needs_grad:
                grad_hidden[rows] = probabilities @ table
                grad_embedding += probabilities.T @ x
        num_real = real.sum() if num_tokens is None else num_tokens
        if not needs_grad:
            return loss / num_real
        # The target of a row is (1 - smoothing) on its label and smoothing / V everywhere: rank one, no matrix needed.
        grad_hidden -= (1 - smoothing) * F.embedding(labels, table) + smoothing * mean_embedding
        grad_embedding.index_add_(0, labels, hidden.float(), alpha=-(1 - smoothing))
        grad_embedding -= smoothing / embedding.size(0) * hidden.sum(0, dtype=torch.float32)
        ctx.save_for_backward(grad_hidden.mul_(real / num_real), grad_embedding.div_(num_real))
        ctx.dtypes = hidden_type, embedding.dtype
        return loss / num_real

    @staticmethod
    def backward(ctx, grad: Tensor):
        (grad_hidden, grad_embedding), (hidden_type, embedding_type) = ctx.saved_tensors, ctx.dtypes
        return (grad_hidden * grad).to(hidden_type), (grad_embedding * grad).to(embedding_type), *[None] * 6
