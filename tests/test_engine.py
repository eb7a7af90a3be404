"""Every form of an engine against the plain model, through all that search does with it; and the shortlist.

Whole targets at once are what the model is trained with, so that is what each step is compared with.
"""

import random
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import zip_longest

import pytest
import torch
from torch import Tensor

from malaygpt.decode import Hypothesis, SearchOptions, Step, search, search_batch
from malaygpt.engine import NEVER, ROOM, Engine, Engines, FlatEngine, PlainEngine, Shortlist, best_forms
from malaygpt.linear import FORMS, Form, Int8Linear, quantize_rows
from malaygpt.model import ModelConfig, Transformer, build_model
from malaygpt.tokenizer import CLS_ID, PAD_ID, SEP_ID, Tokenizer

VOCAB = 50
EXACT = 1e-4
"""How far the logits of float32 may be from the model's"""


@pytest.fixture(scope="module")
def lopsided() -> Transformer:
    """No two of its sizes are the same, and every parameter is random, so that nothing can be mistaken or forgotten."""
    config = ModelConfig(
        VOCAB, d_model=24, num_heads=3, num_encoder_blocks=3, num_decoder_blocks=2, d_ff=40, max_length=4 * ROOM
    )
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = build_model(config).eval()
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.dim() == 1:
                    parameter.add_(torch.randn_like(parameter) / 3)
    return model


@pytest.fixture(scope="module", params=["plain", "scripted", "not scripted"])
def exact(request: pytest.FixtureRequest, lopsided: Transformer) -> Engine:
    """Engines that must give the model's numbers"""
    if request.param == "plain":
        return PlainEngine(lopsided)
    return FlatEngine(lopsided, "float32", script=request.param == "scripted")


@pytest.fixture(scope="module", params=["plain", *FORMS])
def trained(request: pytest.FixtureRequest, model: Transformer) -> Engine:
    """Every form of the trained model"""
    return PlainEngine(model) if request.param == "plain" else FlatEngine(model, request.param)


@pytest.fixture(scope="module")
def shortlist() -> Shortlist:
    numbers = torch.Generator().manual_seed(0)
    candidates = torch.randint(SEP_ID, VOCAB, (VOCAB, 3), generator=numbers)
    candidates[PAD_ID] = SEP_ID
    return Shortlist(torch.tensor([SEP_ID, 7, 8]), candidates)


def random_batch(lengths: Sequence[int], seed: int = 0) -> Tensor:
    """(B, N), padded on the right"""
    numbers = torch.Generator().manual_seed(seed)
    rows = [torch.randint(SEP_ID + 1, VOCAB, (length,), generator=numbers) for length in lengths]
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=PAD_ID)


def sources_mask(src: Tensor) -> Tensor:
    return (src != PAD_ID)[:, None, None, :]


@torch.no_grad()
def whole(model: Transformer, src: Tensor, tgt: Tensor) -> Tensor:
    """What the model says after each target token, (B, T, V); what it must not say is NEVER."""
    logits = model(src, tgt)
    logits[..., :SEP_ID] = NEVER
    return logits


@torch.inference_mode()
def stepped(engine: Engine, src: Tensor, tgt: Tensor) -> tuple[Tensor, Tensor]:
    """The same, a token at a time: (B, T, C), and which tokens the columns are"""
    state = engine.encode(src, sources_mask(src) if len(src) > 1 else None)
    vocabulary, logits = engine.vocabulary(state), []
    for ids in tgt.T:
        said, state = engine.step(ids, state)
        assert said.dtype == torch.float32
        assert torch.equal(engine.vocabulary(state), vocabulary)
        logits.append(said)
    return torch.stack(logits, 1), vocabulary


# The same numbers as the model


@pytest.mark.parametrize("lengths", [(5,), (1,), (9, 2, 9, 4, 1)], ids=["one", "shortest", "padded"])
def test_every_step_gives_the_models_logits_and_long_after_the_first_room_is_used_up(exact, lopsided, lengths):
    src, tgt = random_batch(lengths), random_batch([2 * ROOM + 5] * len(lengths), seed=1)
    logits, vocabulary = stepped(exact, src, tgt)
    torch.testing.assert_close(logits, whole(lopsided, src, tgt), atol=EXACT, rtol=0)
    assert vocabulary.tolist() == list(range(VOCAB))


def test_a_source_and_a_target_of_the_models_whole_length_fit(exact, lopsided):
    src, tgt = random_batch([4 * ROOM]), random_batch([4 * ROOM], seed=1)
    assert exact.max_length == 4 * ROOM
    torch.testing.assert_close(stepped(exact, src, tgt)[0], whole(lopsided, src, tgt), atol=EXACT, rtol=0)


@pytest.mark.parametrize("seed", range(8))
@torch.inference_mode()
def test_rows_that_multiply_move_and_leave_go_on_as_their_own_pasts_say(exact, lopsided, seed: int):
    """What a search may do: hypotheses of a source multiply, change places and die, and sources leave."""
    numbers = random.Random(seed)
    src = random_batch([numbers.randint(1, 9) for _ in range(numbers.randint(1, 6))], seed)
    state = exact.encode(src, sources_mask(src) if len(src) > 1 else None)
    going = [(source, [[CLS_ID]]) for source in src]
    for step in range(ROOM + 8):
        rows = [ids for _, hypotheses in going for ids in hypotheses]
        logits, state = exact.step(torch.tensor([ids[-1] for ids in rows]), state)
        if step % 8 == 0 or step in (1, 2, ROOM - 1, ROOM + 1):
            of_row = torch.stack([source for source, hypotheses in going for _ in hypotheses])
            expected = whole(lopsided, of_row, torch.tensor(rows))[:, -1]
            torch.testing.assert_close(logits, expected, atol=EXACT, rtol=0)
        many = len(going[0][1])
        places, kept = range(len(going)), numbers.choice([many, many, 1, 2, 3])
        if len(going) > 1 and numbers.random() < 0.1:
            places = sorted(numbers.sample(places, numbers.randint(1, len(going) - 1)))
        parents = [[numbers.randrange(many) for _ in range(kept)] for _ in places]
        if kept == many and numbers.random() < 0.5:
            parents = [list(range(many))] * len(places)
        state = exact.reorder(
            state,
            torch.tensor([place * many + parent for place, of in zip(places, parents, strict=True) for parent in of]),
            None if len(places) == len(going) else torch.tensor(places),
        )
        going = [
            (going[place][0], [[*going[place][1][parent], numbers.randrange(SEP_ID, VOCAB)] for parent in of])
            for place, of in zip(places, parents, strict=True)
        ]


@torch.inference_mode()
def test_a_source_may_become_as_many_rows_as_there_were_sources(exact, lopsided):
    """The number of rows stays the same while a source leaves."""
    src = random_batch([5, 3])
    _, state = exact.step(torch.tensor([CLS_ID, CLS_ID]), exact.encode(src, sources_mask(src)))
    state = exact.reorder(state, torch.tensor([1, 1]), torch.tensor([1]))
    logits, _ = exact.step(torch.tensor([9, 10]), state)
    expected = whole(lopsided, src[[1, 1], :3], torch.tensor([[CLS_ID, 9], [CLS_ID, 10]]))[:, -1]
    torch.testing.assert_close(logits, expected, atol=EXACT, rtol=0)


@torch.inference_mode()
def test_rows_that_stay_in_place_are_not_copied(lopsided):
    engine = FlatEngine(lopsided, "float32", script=False)
    _, state = engine.step(torch.tensor([CLS_ID]), engine.encode(random_batch([5])))
    state = engine.reorder(state, torch.tensor([0, 0, 0]))
    before, address = state.past[..., :1, :].clone(), state.past.data_ptr()
    state = engine.reorder(state, torch.tensor([0, 2, 2]))
    assert state.past.data_ptr() == address and torch.equal(state.past[..., :1, :], before)


@pytest.mark.parametrize(("form", "mean", "largest"), [("int8", 0.04, 0.25), ("bfloat16", 0.02, 0.15)])
@pytest.mark.parametrize("script", [True, False], ids=["scripted", "not scripted"])
@pytest.mark.parametrize("short", [False, True], ids=["all tokens", "shortlist"])
def test_fewer_bits_are_close_to_the_model(lopsided, shortlist, form: Form, mean, largest, script: bool, short: bool):
    """Within a few hundredths of how much logits differ from each other"""
    engine = FlatEngine(lopsided, form, shortlist if short else None, script)
    src, tgt = random_batch([9, 2, 4]), random_batch([ROOM + 5] * 3, seed=1)
    logits, vocabulary = stepped(engine, src, tgt)
    expected = whole(lopsided, src, tgt)[..., vocabulary]
    text = logits > NEVER / 2
    difference, spread = (logits - expected)[text].abs(), expected[text].std()
    assert difference.mean() < mean * spread and difference.max() < largest * spread


def test_every_form_knows_what_the_model_has_learnt_by_heart(trained, tokenizer: Tokenizer, pairs: dict[str, str]):
    sources = [tokenizer.encode(english) for english in pairs]
    for options in (SearchOptions(), SearchOptions(num_beams=3)):
        found = search_batch(trained, sources, options)
        assert [tokenizer.decode(best.ids) for (best,) in found] == list(pairs.values())


def test_every_form_mostly_says_the_same_next_token(trained, model: Transformer):
    numbers = torch.Generator().manual_seed(0)
    src, tgt = torch.randint(SEP_ID + 1, model.config.vocab_size, (2, 40, 12), generator=numbers)
    logits, _ = stepped(trained, src, tgt)
    expected = whole(model, src, tgt)
    same = (logits.argmax(-1) == expected.argmax(-1)).float().mean()
    assert same >= (0.9 if getattr(trained, "form", "float32") != "float32" else 1.0)


@pytest.mark.parametrize("short", [False, True], ids=["all tokens", "shortlist"])
@pytest.mark.parametrize("form", FORMS)
def test_what_is_not_text_is_never_likely_and_the_end_may_be(lopsided, shortlist, form: Form, short: bool):
    engine = FlatEngine(lopsided, form, shortlist if short else None, script=False)
    logits, vocabulary = stepped(engine, random_batch([5, 3]), random_batch([3, 3], seed=1))
    special = vocabulary < SEP_ID
    assert (logits[..., special] < NEVER / 2).all() and (short or special.sum() == SEP_ID)
    assert (logits[..., vocabulary == SEP_ID] > NEVER / 2).all()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("d_model", "num_heads"), [(2, 1), (6, 3), (8, 2), (20, 5), (40, 4)])
def test_a_model_of_any_width_is_computed_and_nothing_beyond_its_end(form: Form, d_model: int, num_heads: int):
    """Kernels for few bits read whole blocks of memory; narrower rows than that once brought down the process."""
    with torch.random.fork_rng():
        torch.manual_seed(2)
        model = build_model(ModelConfig(11, d_model, num_heads, 1, 1, d_ff=5, max_length=16)).eval()
    words = Shortlist(torch.tensor([SEP_ID, 4, 5]), torch.full((11, 1), SEP_ID))
    src, tgt = random_batch([5, 3]) % 7 + 4, random_batch([9, 9], seed=1) % 7 + 4
    for engine in (FlatEngine(model, form, script=False), FlatEngine(model, form, words, script=False)):
        logits, vocabulary = stepped(engine, src, tgt)
        expected = whole(model, src, tgt)[..., vocabulary]
        text = logits > NEVER / 2
        assert (logits - expected)[text].abs().mean() < 0.3 * expected[text].std()


# What it is made of


@pytest.mark.parametrize("form", FORMS)
def test_weights_in_bfloat16_give_what_the_same_numbers_in_float32_give(lopsided, shortlist, form: Form):
    rounded, half = (Transformer(lopsided.config).eval() for _ in range(2))
    weights = {name: tensor.bfloat16() for name, tensor in lopsided.state_dict().items()}
    half.load_state_dict(weights, assign=True)
    rounded.load_state_dict({name: tensor.float() for name, tensor in weights.items()}, assign=True)
    src, tgt = random_batch([6, 3]), random_batch([5, 5], seed=1)
    for words in (None, shortlist):
        logits, _ = stepped(FlatEngine(half, form, words, script=False), src, tgt)
        expected, _ = stepped(FlatEngine(rounded, form, words, script=False), src, tgt)
        torch.testing.assert_close(logits, expected, atol=1e-5, rtol=0)
    assert {parameter.dtype for parameter in half.parameters()} == {torch.bfloat16}


@pytest.mark.parametrize("form", FORMS)
def test_making_and_using_an_engine_leaves_the_model_as_it_was(lopsided, shortlist, form: Form):
    before = {name: tensor.clone() for name, tensor in lopsided.state_dict().items()}
    stepped(FlatEngine(lopsided, form, shortlist), random_batch([6, 3]), random_batch([5, 5]))
    assert all(torch.equal(tensor, before[name]) for name, tensor in lopsided.state_dict().items())
    assert all(parameter.requires_grad for parameter in lopsided.parameters())


def test_a_quantised_row_is_its_scale_times_whole_numbers_and_no_more_than_half_of_it_off():
    weight = torch.randn(600, 7, generator=torch.Generator().manual_seed(0)) * torch.logspace(-3, 3, 600).unsqueeze(1)
    weight[17] = 0
    rows, scale = quantize_rows(weight)
    assert rows.dtype == torch.int8 and (rows[17] == 0).all() and (scale > 0).all()
    assert (rows.abs().amax(1) == 127).sum() == 599
    assert ((rows * scale.unsqueeze(1) - weight).abs() <= 0.5001 * scale.unsqueeze(1)).all()


@pytest.mark.parametrize("relu", [False, True])
def test_a_layer_in_8_bits_is_close_to_itself_in_32(relu: bool):
    numbers = torch.Generator().manual_seed(0)
    weight, bias, x = (torch.randn(shape, generator=numbers) for shape in ((40, 64), (40,), (3, 64)))
    expected = (x @ weight.T + bias).relu() if relu else x @ weight.T + bias
    layer = Int8Linear(weight, bias, relu)
    assert (layer(x) - expected).abs().max() < 0.03 * expected.abs().max()


def test_activations_have_7_bits_where_sums_of_8_would_overflow(monkeypatch: pytest.MonkeyPatch):
    for has_wide_sums in (True, False):
        monkeypatch.setattr(torch.cpu, "_is_vnni_supported", lambda has=has_wide_sums: has)
        assert Int8Linear(torch.ones(2, 2), torch.ones(2)).reduce_range != has_wide_sums


@pytest.mark.parametrize("form", ["int4", "", None, "Float32"])
def test_a_form_that_there_is_not_is_answered_with_those_there_are(lopsided, form):
    with pytest.raises(ValueError, match=rf"no form {form!r}; choose one of float32, int8, bfloat16"):
        FlatEngine(lopsided, form)


def test_8_bits_are_refused_where_there_is_no_arithmetic_for_them():
    with torch.device("meta"):
        elsewhere = Transformer(ModelConfig.preset("tiny", VOCAB))
    with pytest.raises(ValueError, match="int8 is for CPUs; choose bfloat16"):
        FlatEngine(elsewhere, "int8")


# One engine, many requests


def test_two_decodes_that_take_turns_give_what_each_gives_alone(trained, tokenizer: Tokenizer, pairs: dict[str, str]):
    sources = [tokenizer.encode(english) for english in pairs]
    searches = [
        (sources[:3], SearchOptions(num_beams=3)),
        (sources[3:9], SearchOptions()),
        (sources[4:5], SearchOptions(temperature=1.0, seed=1)),
    ]
    alone = [[ended(step) for step in search(trained, *each)] for each in searches]
    turns = zip_longest(*(search(trained, *each) for each in searches))
    for number, steps in enumerate(zip(*turns, strict=True)):
        assert [ended(step) for step in steps if step is not None] == alone[number]


def test_threads_give_what_each_gives_alone(trained, tokenizer: Tokenizer, pairs: dict[str, str]):
    sources = [tokenizer.encode(english) for english in pairs]

    def translate(number: int) -> list[list[Hypothesis]]:
        some, num_beams = sources[number % 5 : number % 5 + 1 + number % 3], 1 + number % 4
        return search_batch(trained, some, SearchOptions(num_beams, num_hypotheses=num_beams, max_length=20))

    alone = [translate(number) for number in range(12)]
    with ThreadPoolExecutor(4) as pool:
        for found, expected in zip(pool.map(translate, [*range(12)] * 2), alone * 2, strict=True):
            assert [[each.ids for each in best] for best in found] == [[each.ids for each in best] for best in expected]
            totals = [[each.log_prob for each in best] for best in expected]
            assert [pytest.approx(each, abs=1e-3) for each in totals] == [[h.log_prob for h in best] for best in found]


def ended(step: Step) -> list[tuple]:
    return [(sentence, hypothesis.ids, hypothesis.log_prob) for sentence, hypothesis in step.ended]


def test_a_state_goes_on_while_another_of_other_size_does(exact, lopsided):
    """Batches of one, five and two, stepped in turn"""
    batches = [(random_batch(lengths, seed), seed) for seed, lengths in enumerate([(4,), (7, 1, 3, 2, 5), (2, 6)])]
    tgt = [random_batch([ROOM + 3] * len(src), 10 + seed) for src, seed in batches]
    with torch.inference_mode():
        states = [exact.encode(src, sources_mask(src)) for src, _ in batches]
        for t in range(ROOM + 3):
            logits, states = zip(
                *(exact.step(ids[:, t], state) for ids, state in zip(tgt, states, strict=True)), strict=True
            )
    for (src, _), ids, said in zip(batches, tgt, logits, strict=True):
        torch.testing.assert_close(said, whole(lopsided, src, ids)[:, -1], atol=EXACT, rtol=0)


def test_one_form_for_all_is_one_engine_and_a_second_is_made_once_when_it_is_wanted(monkeypatch: pytest.MonkeyPatch):
    made: list[tuple] = []

    def make(*what: object) -> tuple:
        time.sleep(0.01)  # long enough for another thread to come by
        made.append(what)
        return what

    monkeypatch.setattr("malaygpt.engine.FlatEngine", make)
    with torch.device("meta"):
        model = Transformer(ModelConfig.preset("tiny", VOCAB))
    one = Engines(model, form="int8")
    assert one.alone is one.together and made == [(model, "int8", None)]
    monkeypatch.setattr("malaygpt.engine.best_forms", lambda device: ("int8", "bfloat16"))
    two = Engines(model)
    assert len(made) == 2
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: two.together, range(8)))
    assert made[1:] == [two.alone, two.together] == [(model, "int8", None), (model, "bfloat16", None)]


def test_the_best_forms_are_those_that_the_machine_is_fast_at(monkeypatch: pytest.MonkeyPatch):
    assert best_forms(torch.device("cuda")) == ("bfloat16", "bfloat16")
    for has_matrix_unit, many in ((True, "bfloat16"), (False, "int8")):
        monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda has=has_matrix_unit: has)
        assert best_forms(torch.device("cpu")) in (("int8", many), ("float32", "float32"))


# The shortlist


@pytest.mark.parametrize("form", FORMS)
def test_a_shortlist_leaves_the_columns_of_its_tokens_and_their_logits_as_they_are(lopsided, shortlist, form: Form):
    src, tgt = random_batch([6]), random_batch([ROOM + 3], seed=1)
    logits, vocabulary = stepped(FlatEngine(lopsided, form, shortlist), src, tgt)
    everything, _ = stepped(FlatEngine(lopsided, form), src, tgt)
    allowed = shortlist.allowed(src, None)[0]
    is_sayable = (logits > NEVER / 2).all(0).all(0)
    assert vocabulary[is_sayable].tolist() == allowed.nonzero().squeeze(1).tolist()
    assert (logits[..., ~is_sayable] < NEVER / 2).all()
    expected, logits = everything[..., vocabulary[is_sayable]], logits[..., is_sayable]
    torch.testing.assert_close(logits, expected, atol=1e-5 if form == "float32" else 0.1 * expected.std(), rtol=0)


@torch.inference_mode()
def test_widths_of_projections_recur_where_each_costs_compiling(lopsided, shortlist, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("malaygpt.engine.COLUMNS", 16)
    engine = FlatEngine(lopsided, "bfloat16", shortlist, script=False)
    for lengths in ([3], [5, 2], [9, 4, 1]):
        src = random_batch(lengths)
        vocabulary = engine.vocabulary(engine.encode(src, sources_mask(src)))
        assert len(vocabulary) in (16, 32, 48, VOCAB) and len(vocabulary.unique()) == len(vocabulary)


def test_a_shortlist_allows_the_common_tokens_those_for_the_source_its_own_and_no_others(shortlist):
    src = random_batch([6, 2, 9])
    prefixes = torch.tensor([[20, 21], [SEP_ID, SEP_ID], [22, SEP_ID]])
    allowed = shortlist.allowed(src, prefixes)
    for row, source, prefix in zip(allowed, src.tolist(), prefixes.tolist(), strict=True):
        ids = [id for id in source if id != PAD_ID]
        expected = {*shortlist.common.tolist(), *shortlist.candidates[ids].flatten().tolist(), *ids, *prefix}
        assert set(row.nonzero().squeeze(1).tolist()) == expected
    without = shortlist.allowed(src, None)
    assert without.sum() < allowed.sum() and not (without & ~allowed).any()


def test_in_a_batch_a_sentence_may_say_only_what_it_may_alone(lopsided, shortlist):
    engine = FlatEngine(lopsided, "float32", shortlist, script=False)
    src, tgt = random_batch([6, 2, 9]), random_batch([4, 4, 4], seed=1)
    logits, vocabulary = stepped(engine, src, tgt)
    expected = whole(lopsided, src, tgt)[..., vocabulary]
    allowed = shortlist.allowed(src, None)[:, vocabulary].unsqueeze(1).expand_as(logits)
    assert allowed.any(0).any(0).all() and not allowed.all()
    torch.testing.assert_close(logits[allowed], expected[allowed], atol=EXACT, rtol=0)
    assert (logits[~allowed] < NEVER / 2).all()


@torch.inference_mode()
def test_what_a_sentence_may_say_follows_it_when_others_leave(lopsided, shortlist):
    engine = FlatEngine(lopsided, "float32", shortlist, script=False)
    src = random_batch([6, 2, 9])
    state = engine.encode(src, sources_mask(src))
    _, state = engine.step(torch.full((3,), CLS_ID), state)
    state = engine.reorder(state, torch.tensor([1, 1, 2, 2]), torch.tensor([1, 2]))
    logits, _ = engine.step(torch.tensor([9, 10, 9, 10]), state)
    allowed = shortlist.allowed(src, None)[[1, 1, 2, 2]][:, engine.vocabulary(state)]
    assert torch.equal(logits > NEVER / 2, allowed)


# On a GPU, where there is one


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize(("form", "tolerance"), [("float32", 1e-2), ("bfloat16", 0.2)])
@pytest.mark.parametrize("short", [False, True], ids=["all tokens", "shortlist"])
def test_a_gpu_gives_what_the_cpu_gives(lopsided, shortlist, form: Form, tolerance: float, short: bool):
    there = Transformer(lopsided.config).eval()
    there.load_state_dict(lopsided.state_dict())
    engine = FlatEngine(there.cuda(), form, shortlist if short else None)
    src, tgt = random_batch([6, 2, 9]), random_batch([ROOM + 3] * 3, seed=1)
    logits, vocabulary = stepped(engine, src.cuda(), tgt.cuda())
    expected = whole(lopsided, src, tgt)[..., vocabulary.cpu()]
    text = logits.cpu() > NEVER / 2
    torch.testing.assert_close(logits.cpu()[text], expected[text], atol=tolerance, rtol=0)
    sources, options = [[7, 8, 9], [4]], SearchOptions(num_beams=3, num_hypotheses=3)
    for found in search_batch(engine, sources, options, [[5], []]):
        assert len(found) == 3
