"""The engines that are measured, all with the weights of one checkpoint.

Each is a function that loads it and returns how it translates. Packages other than ours are imported there, so that
none costs the others time or memory.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from malaygpt.checkpoint import load_checkpoint, load_shortlist
from malaygpt.decode import SearchOptions, search_batch
from malaygpt.engine import FlatEngine
from malaygpt.linear import Form
from malaygpt.tokenizer import CLS_ID, PAD_ID, SEP_ID
from tests.benchmarks.decoding.inputs import NUM_SOURCES
from train.export import to_ctranslate2, to_transformers

Translate = Callable[[list[list[int]], int, int], list[list[int]]]
"""Sources without [SEP], width of the beam (1: greedy), number of tokens -> exactly so many tokens for each source"""


@dataclass(frozen=True)
class Setting:
    """Where an engine finds the weights, and how much of the machine it may use"""

    checkpoint: Path
    exports: Path
    """The checkpoint in the formats of the others (`write_exports`)"""
    threads: int
    """Threads that share one translation"""
    in_flight: int = 1
    """Translations that run at the same time, each with so many threads"""


@dataclass(frozen=True)
class Contestant:
    """An engine"""

    title: str
    load: Callable[[Setting], Translate]
    bytes_a_weight: int
    max_batch: int = NUM_SOURCES
    max_beams: int = 4

    @property
    def is_ours(self) -> bool:
        return self.title.startswith("ours")


def write_exports(checkpoint: Path, exports: Path) -> None:
    """Writes what the other engines load. Raises ModuleNotFoundError naming the package that is missing."""
    to_ctranslate2(checkpoint, exports / "float32")
    to_ctranslate2(checkpoint, exports / "int8", quantization="int8")
    to_transformers(checkpoint, exports / "transformers")


def load_ours(form: Form, with_shortlist: bool = True) -> Callable[[Setting], Translate]:
    """malaygpt.engine, in this form"""

    def load(setting: Setting) -> Translate:
        model, _ = load_checkpoint(setting.checkpoint, dtype=None)
        shortlist = load_shortlist(setting.checkpoint, model.config.vocab_size) if with_shortlist else None
        engine = FlatEngine(model, form, shortlist)

        def translate(sources: list[list[int]], beams: int, length: int) -> list[list[int]]:
            options = SearchOptions(num_beams=beams, min_length=length, max_length=length)
            return [list(hypotheses[0].ids) for hypotheses in search_batch(engine, sources, options)]

        return translate

    return load


def load_ctranslate2(compute_type: str) -> Callable[[Setting], Translate]:
    """CTranslate2 with weights stored in the type in which it computes"""

    def load(setting: Setting) -> Translate:
        import json

        import ctranslate2

        directory = setting.exports / compute_type
        vocabulary = json.loads((directory / "shared_vocabulary.json").read_text())
        ids = {token: i for i, token in enumerate(vocabulary)}
        translator = ctranslate2.Translator(
            str(directory),
            compute_type=compute_type,
            intra_threads=setting.threads,
            inter_threads=setting.in_flight,
        )

        def translate(sources: list[list[int]], beams: int, length: int) -> list[list[int]]:
            results = translator.translate_batch(
                [[vocabulary[i] for i in source] for source in sources],
                beam_size=beams,
                min_decoding_length=length,
                max_decoding_length=length,
                max_batch_size=0,
                return_scores=False,
            )
            return [[ids[token] for token in result.hypotheses[0]] for result in results]

        return translate

    return load


def load_transformers(setting: Setting) -> Translate:
    """generate() of Hugging Face's transformers, with its cache of keys and values"""
    from transformers import AutoModelForSeq2SeqLM

    model = AutoModelForSeq2SeqLM.from_pretrained(setting.exports / "transformers")

    @torch.inference_mode()
    def translate(sources: list[list[int]], beams: int, length: int) -> list[list[int]]:
        src = batch(sources)
        ids = model.generate(
            input_ids=src,
            attention_mask=(src != PAD_ID).long(),
            num_beams=beams,
            do_sample=False,
            min_new_tokens=length,
            max_new_tokens=length,
        )
        return ids[:, 1:].tolist()

    return translate


def load_cached(setting: Setting) -> Translate:
    """Our Transformer as model.py writes it, one step a token"""
    model, _ = load_checkpoint(setting.checkpoint)

    @torch.inference_mode()
    def translate(sources: list[list[int]], beams: int, length: int) -> list[list[int]]:
        assert beams == 1
        src = batch(sources)
        src_mask = model.padding_mask(src)
        cache = model.start(model.encode(src, src_mask), src_mask)
        said = [torch.full((len(sources), 1), CLS_ID)]
        for _ in range(length):
            logits, cache = model.step(said[-1], cache)
            said.append(likeliest(logits))
        return torch.cat(said[1:], dim=1).tolist()

    return translate


def load_tutorial(setting: Setting) -> Translate:
    """The loop of a tutorial: for every token, the decoder runs on all tokens so far"""
    model, _ = load_checkpoint(setting.checkpoint)

    @torch.inference_mode()
    def translate(sources: list[list[int]], beams: int, length: int) -> list[list[int]]:
        assert beams == 1
        src = batch(sources)
        src_mask = model.padding_mask(src)
        memory = model.encode(src, src_mask)
        tgt = torch.full((len(sources), 1), CLS_ID)
        for _ in range(length):
            hidden = model.decode(tgt, memory, src_mask)
            tgt = torch.cat([tgt, likeliest(model.project(hidden[:, -1]))], dim=1)
        return tgt[:, 1:].tolist()

    return translate


def batch(sources: list[list[int]]) -> Tensor:
    """(B, S), every source ended with [SEP]"""
    return torch.tensor([[*source, SEP_ID] for source in sources])


def likeliest(logits: Tensor) -> Tensor:
    """(B, V) -> (B, 1), which is never a special token: not even the end, since the length is given"""
    logits[:, : SEP_ID + 1] = -math.inf
    return logits.argmax(-1, keepdim=True)


CONTESTANTS = {
    "ours-int8": Contestant("ours, int8", load_ours("int8"), bytes_a_weight=1),
    "ours-bfloat16": Contestant("ours, bfloat16", load_ours("bfloat16"), bytes_a_weight=2),
    "ours-int8-full": Contestant("ours, int8, no shortlist", load_ours("int8", with_shortlist=False), bytes_a_weight=1),
    "ours-float32": Contestant("ours, float32", load_ours("float32"), bytes_a_weight=4),
    "ctranslate2-int8": Contestant("CTranslate2, int8", load_ctranslate2("int8"), bytes_a_weight=1),
    "ctranslate2-float32": Contestant("CTranslate2, float32", load_ctranslate2("float32"), bytes_a_weight=4),
    "transformers": Contestant("transformers, float32", load_transformers, bytes_a_weight=4),
    "cached": Contestant("model.py with its cache", load_cached, bytes_a_weight=4, max_beams=1),
    "tutorial": Contestant("tutorial's loop", load_tutorial, bytes_a_weight=4, max_batch=16, max_beams=1),
}
ANCHOR, REFERENCE, TUTORIAL = "ctranslate2-int8", "cached", "tutorial"
"""Whose time is 1, whose tokens are right, and whom ours must leave far behind"""
