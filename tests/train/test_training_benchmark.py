"""What the benchmark of training counts and prints."""

import re
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from malaygpt.model import ModelConfig, build_model
from tests.benchmarks.training import textbook_loss, training_flops
from train.batch import batch_of
from train.loss import batch_loss


@pytest.mark.parametrize("loss", [lambda model, batch: batch_loss(model, batch, 0.1), textbook_loss])
def test_the_counted_operations_are_those_that_pytorch_counts(loss):
    """In a batch without padding, whose products are all done in full: also what the causal mask then takes away."""
    config = ModelConfig(96, d_model=32, num_heads=2, num_encoder_blocks=3, num_decoder_blocks=2, d_ff=48)
    rows, src, tgt = 5, 12, 10
    batch = batch_of([([7] * (src - 1), [8] * (tgt - 1))] * rows)
    assert batch.src.shape == (rows, src)
    assert batch.tgt.shape == (rows, tgt)
    model = build_model(config)
    with FlopCounterMode(display=False) as counter:
        loss(model, batch).backward()
    masked = 6 * rows * config.num_decoder_blocks * 2 * config.d_model * tgt * (tgt - 1) / 2
    counted = training_flops(config, np.full(rows, src), np.full(rows, tgt))
    assert counted + masked == counter.get_total_flops()


def test_the_benchmark_measures_every_loop(packed):
    command = [sys.executable, "-m", "tests.benchmarks.training", "--preset", "tiny", "--packed", str(packed)]
    options = ["--batches", "2", "--tokens-per-batch", "256", "--threads", str(torch.get_num_threads())]
    ran = subprocess.run([*command, *options], capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stderr
    line = r"^(\w[\w, ]+?)  +([\d,]+) +([\d.,]+) +([\d.]+)% +([\d.]+) +([\d.,]+) min$"
    rows = re.findall(line, ran.stdout, re.MULTILINE)
    assert {"ours", "textbook", "textbook, our batches"} <= {name for name, *_ in rows}
    assert all(float(figure.replace(",", "")) > 0 for _, *figures in rows for figure in figures[:2])
