"""Label-smoothed cross-entropy on a tied projection, without ever holding the logits of a whole batch.

The logits are the largest tensor of a training step: tokens x vocabulary. Here they live a slice at a time, and the
gradient is formed with them: softmax minus target, whose one-hot and uniform parts need no matrix at all.
`tests/benchmarks/training.py` times it against the textbook's loss.

R-Drop (Liang et al., 2021) has every batch pass through the model twice, with other dropout, and asks the two softmaxes
to agree. The gradient of their divergence is formed in the same slices.
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
    hidden = hidden_states(model, batch)
    return smoothed_cross_entropy(hidden, model.embedding.weight, batch.labels, smoothing, PAD_ID, num_tokens)


def hidden_states(model: Transformer, batch: Batch) -> Tensor:
    """What the projection makes logits of, (B, T, D)"""
    src_mask = model.padding_mask(batch.src)
    return model.decode(batch.tgt, model.encode(batch.src, src_mask), src_mask)


class BatchLoss(nn.Module):
    """The loss of a batch in training as a module, which is what DistributedDataParallel takes: `batch_loss`, or with
    `r_drop` above zero that of R-Drop."""

    def __init__(self, model: Transformer, smoothing: float, r_drop: float = 0.0) -> None:
        super().__init__()
        self.model = model
        self.smoothing = smoothing
        self.r_drop = r_drop

    def forward(self, batch: Batch, num_tokens: int) -> Tensor:
        """The share of the batch in the mean over `num_tokens`, those of all slices and processes"""
        if not self.r_drop:
            return batch_loss(self.model, batch, self.smoothing, num_tokens)
        # In turn: one batch of twice the rows is no faster on the CPU, and both keep as many activations.
        passes = torch.stack([hidden_states(self.model, batch) for _ in range(2)], dim=2)  # (B, T, 2, D)
        table = self.model.embedding.weight
        return r_drop_loss(passes, table, batch.labels, self.smoothing, self.r_drop, PAD_ID, num_tokens)


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
    return _apply(hidden.flatten(0, 1), embedding, labels.flatten(), smoothing, 0.0, pad_id, num_tokens)


def r_drop_loss(
    hidden: Tensor,
    embedding: Tensor,
    labels: Tensor,
    smoothing: float,
    alpha: float,
    pad_id: int,
    num_tokens: int | None = None,
) -> Tensor:
    """The mean over all labels that are not padding of (CE_1 + CE_2) / 2 + alpha (KL(P_1 || P_2) + KL(P_2 || P_1)) / 4.

    P_1 and P_2 are the softmaxes of two passes and CE their smoothed cross-entropies. It is half of the paper's
    objective (Liang et al., 2021, section 2), which adds up CE_1 and CE_2 and takes alpha times the mean of the
    two divergences, so that alpha is the paper's. `num_tokens` counts a label once, see `smoothed_cross_entropy`.

    hidden (B, T, 2, D), embedding (V, D), labels (B, T) -> scalar, float32
    """
    twice = labels.unsqueeze(2).expand(-1, -1, 2)
    num_rows = None if num_tokens is None else 2 * num_tokens
    return _apply(hidden.flatten(0, 2), embedding, twice.flatten(), smoothing, alpha, pad_id, num_rows)


def _apply(
    hidden: Tensor,
    embedding: Tensor,
    labels: Tensor,
    smoothing: float,
    alpha: float,
    pad_id: int,
    num_rows: int | None,
) -> Tensor:
    """hidden (rows, D), labels (rows,); with `alpha` the rows 2i and 2i + 1 are two passes of one token"""
    device_type = hidden.device.type
    dtype = torch.get_autocast_dtype(device_type) if torch.is_autocast_enabled(device_type) else hidden.dtype
    needs_grad = torch.is_grad_enabled()
    return _TiedCrossEntropy.apply(hidden, embedding, labels, smoothing, alpha, pad_id, num_rows, dtype, needs_grad)


def _add_divergence(logits: Tensor, probabilities: Tensor, log_normaliser: Tensor, alpha: float) -> Tensor:
    """J = KL(p || q) + KL(q || p) of each pair of rows -> alpha / 2 of it, (pairs, 1), float32.

    Turns `probabilities`, the gradient of the rows' cross-entropies but for their targets, into that of these with
    alpha / 2 of J: by the logits of p it is p (log p - log q - KL(p || q)) + p - q, and likewise by those of q.

    logits and probabilities (2 pairs, V), log_normaliser (2 pairs, 1)
    """
    (a, b), (p, q), (c, d) = (x.unflatten(0, (-1, 2)).unbind(1) for x in (logits, probabilities, log_normaliser))
    log_ratio = (a - b).sub_(c - d)  # log p - log q
    kl_pq = (p * log_ratio).sum(1, keepdim=True, dtype=torch.float32)
    kl_qp = -(q * log_ratio).sum(1, keepdim=True, dtype=torch.float32)
    difference = p - q
    p.addcmul_(p, log_ratio - kl_pq.to(p.dtype), value=alpha / 2).add_(difference, alpha=alpha / 2)
    q.addcmul_(q, log_ratio + kl_qp.to(q.dtype), value=-alpha / 2).sub_(difference, alpha=alpha / 2)
    return (kl_pq + kl_qp) * (alpha / 2)


class _TiedCrossEntropy(torch.autograd.Function):
    """Gradients are formed in the forward pass, while each slice of the softmax is at hand."""

    @staticmethod
    def forward(
        ctx,
        hidden: Tensor,
        embedding: Tensor,
        labels: Tensor,
        smoothing: float,
        alpha: float,
        pad_id: int,
        num_rows: int | None,
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
            if alpha:
                # That of padding is zero, as both its rows are.
                loss += _add_divergence(logits, probabilities, log_normaliser, alpha).sum()
            if needs_grad:
                grad_hidden[rows] = probabilities @ table
                grad_embedding += probabilities.T @ x
        num_real = real.sum() if num_rows is None else num_rows
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
        return (grad_hidden * grad).to(hidden_type), (grad_embedding * grad).to(embedding_type), *[None] * 7
