"""What several test files share: a few sentence pairs, a model that has learnt them by heart, and it as a checkpoint.

The model is trained here, in about a second: its translations are real ones, and end by themselves.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
import torch
from hypothesis import settings
from torch.nn.functional import cross_entropy

from malaygpt.checkpoint import save_checkpoint
from malaygpt.model import ModelConfig, Transformer, build_model
from malaygpt.tokenizer import CLS_ID, PAD_ID, SEP_ID, Tokenizer
from malaygpt.translator import Translator

# Matrices this small are slower on two threads than on one.
torch.set_num_threads(1)

# The same examples on every machine and in every run, however slow it is.
settings.register_profile("repeatable", derandomize=True, deadline=None, database=None, max_examples=300)
settings.load_profile("repeatable")

PAIRS = {
    "I eat fish.": "Saya makan ikan.",
    "He eats rice and fish, not meat.": "Dia memakan nasi dan ikan, bukan daging.",
    "The cat sleeps.": "Kucing itu tidur.",
    "Good morning!": "Selamat pagi!",
    "Where is the book?": "Di manakah buku itu?",
    "My house has 24 doors.": "Rumah saya ada 24 pintu.",
    "We read books at home.": "Kami membaca buku di rumah.",
    "Thank you.": "Terima kasih.",
    "The cat eats fish.": "Kucing itu makan ikan.",
    "She drinks water.": "Dia minum air.",
}


@pytest.fixture(scope="session")
def pairs() -> dict[str, str]:
    """English sentences and the Malay that `model` gives for them."""
    return dict(PAIRS)


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    return Tokenizer.train([*PAIRS, *PAIRS.values()], vocab_size=320, min_frequency=1)


@pytest.fixture(scope="session")
def model(tokenizer: Tokenizer) -> Transformer:
    """Knows `pairs` by heart, and says something of its own to anything else."""
    config = ModelConfig(
        tokenizer.vocab_size,
        d_model=32,
        num_heads=2,
        num_encoder_blocks=2,
        num_decoder_blocks=2,
        d_ff=64,
        max_length=64,
    )
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = build_model(config).eval()
    src = pad_rows([[*tokenizer.encode(english), SEP_ID] for english in PAIRS])
    tgt = pad_rows([[CLS_ID, *tokenizer.encode(malay), SEP_ID] for malay in PAIRS.values()])
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(200):
        logits = model(src, tgt[:, :-1])
        loss = cross_entropy(logits.flatten(0, 1), tgt[:, 1:].flatten(), ignore_index=PAD_ID)
        if loss < 0.02:
            return model
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    raise AssertionError(
        f"A tiny model no longer learns {len(PAIRS)} sentences by heart: its loss is still {loss:.3f}."
    )


@pytest.fixture
def untrained_model() -> Transformer:
    """Every parameter random, gains and biases too, so that none of them can be forgotten unseen; dropout is off."""
    with torch.random.fork_rng():
        torch.manual_seed(2)
        model = build_model(ModelConfig.preset("tiny", vocab_size=50)).eval()
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.dim() == 1:
                    parameter.add_(torch.randn_like(parameter) / 3)
    return model.requires_grad_(False)


@pytest.fixture(scope="session")
def translator(model: Transformer, tokenizer: Tokenizer) -> Translator:
    return Translator(model, tokenizer)


@pytest.fixture(scope="session")
def checkpoint(model: Transformer, tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with `model` and `tokenizer`; tests that change it copy it first."""
    directory = tmp_path_factory.mktemp("checkpoint")
    save_checkpoint(directory, model.config, model.state_dict(), tokenizer, torch.float32)
    return directory


@pytest.fixture
def time_limit() -> Callable[[float], AbstractContextManager]:
    """`with time_limit(seconds):` for what is quick unless its time grows with the square of its input"""

    @contextmanager
    def limit(seconds: float) -> Iterator[None]:
        start = time.process_time()
        yield
        taken = time.process_time() - start
        assert taken < seconds, f"{taken:.1f} seconds"

    return limit


def pad_rows(rows: list[list[int]]) -> torch.Tensor:
    """(B, N), shorter rows padded on the right"""
    return torch.nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], batch_first=True, padding_value=PAD_ID)
