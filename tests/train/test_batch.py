import time

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from malaygpt.tokenizer import CLS_ID, PAD_ID, SEP_ID, SPECIAL_TOKENS
from train.batch import batch_of, prepared_ahead
from train.packed import padded_length

SENTENCES = st.lists(st.integers(len(SPECIAL_TOKENS), 9000), max_size=70)


@given(st.lists(st.tuples(SENTENCES, SENTENCES), min_size=1, max_size=5))
def test_a_batch_is_its_sentences_with_their_special_tokens(sides):
    sides = [(np.array(src, np.uint16), np.array(tgt, np.uint16)) for src, tgt in sides]
    batch = batch_of(sides)
    expected = (0, batch.src, [], [SEP_ID]), (1, batch.tgt, [CLS_ID], []), (1, batch.labels, [], [SEP_ID])
    for side, ids, begin, end in expected:
        rows = [[*begin, *pair[side].tolist(), *end] for pair in sides]
        width = int(padded_length(np.array(max(map(len, rows)))))
        assert ids.tolist() == [row + [PAD_ID] * (width - len(row)) for row in rows]
        assert ids.dtype == torch.int64
    assert batch.num_tokens == sum(len(tgt) + 1 for _, tgt in sides)
    assert batch.without_labels().num_tokens == 0


def test_batches_prepared_ahead_come_in_order_and_with_their_errors():
    made = []

    def make(number: int) -> int:
        if number == 6:
            raise OSError("no such batch")
        made.append(number)
        return number

    batches = prepared_ahead(make, range(9), lambda: made.append(-1))
    assert next(batches) == 0
    time.sleep(0.2)
    assert made == [-1, 0, 1, 2]  # no further ahead than it may be
    assert [next(batches) for _ in range(5)] == [1, 2, 3, 4, 5]
    with pytest.raises(OSError, match="no such batch"):
        next(batches)
