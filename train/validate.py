"""How good the model is on held-out pairs: the loss, and the translations that it makes by itself.

The encoder runs once for each sentence and the decoder goes from [CLS] until [SEP], as a visitor of the app would have
it: a loss alone, with the right prefix always given, would not show a model that loses its way.
"""

from dataclasses import dataclass

import numpy as np
import sacrebleu
import torch

from malaygpt.decode import search_batch
from malaygpt.engine import PlainEngine
from malaygpt.model import Transformer
from malaygpt.tokenizer import Tokenizer
from train.batch import collate
from train.loss import mean_loss
from train.packed import PackedPairs, plan_epoch


@dataclass(frozen=True)
class Validation:
    """Figures, and a few translations for people."""

    scores: dict[str, float]
    samples: list[tuple[str, str, str]]
    """English, the held-out Malay, the model's Malay"""

    @property
    def line(self) -> str:
        return ", ".join(f"{name} {value:.3f}" for name, value in self.scores.items())

    @property
    def table(self) -> str:
        return "\n".join(f"  en {english}\n  ms {malay}\n  -> {ours}\n" for english, malay, ours in self.samples)


def validate(
    model: Transformer, tokenizer: Tokenizer, pairs: PackedPairs, tokens_per_batch: int, num_samples: int
) -> Validation:
    """Loss (in training's precision), BLEU and chrF over all held-out pairs, and samples spread evenly over them."""
    plan = plan_epoch(pairs, np.ones(len(pairs)), tokens_per_batch, seed=0, epoch=0)
    was_training = model.training
    model.eval()
    device_type = model.embedding.weight.device.type
    with torch.autocast(device_type, torch.bfloat16):
        loss = mean_loss(model, (collate(pairs, indices) for indices in plan))
    hypotheses = search_batch(PlainEngine(model), [pairs.src(i).tolist() for i in range(len(pairs))])
    model.train(was_training)
    ours = [tokenizer.decode(best.ids) for (best,) in hypotheses]
    references = [tokenizer.decode(pairs.tgt(i)) for i in range(len(pairs))]
    scores = {
        "validation_loss": loss,
        "bleu": sacrebleu.corpus_bleu(ours, [references]).score,
        "chrf": sacrebleu.corpus_chrf(ours, [references]).score,
    }
    shown = np.linspace(0, len(pairs) - 1, min(num_samples, len(pairs))).astype(int)
    return Validation(scores, [(tokenizer.decode(pairs.src(i)), references[i], ours[i]) for i in shown])
