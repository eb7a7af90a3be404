"""An explanation says how a translation came about, from the decoding that made it, and browser code can read it.

The small model of conftest.py knows a few sentences by heart; the embedded checkpoint serves the realistic cases, but
no test needs it to say anything in particular. Where a model has to do a certain thing, it is told what to say.
"""

import base64
import itertools
import json
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import malaygpt.watch
from malaygpt.checkpoint import load_checkpoint
from malaygpt.decode import SearchOptions
from malaygpt.engine import NEVER, PlainEngine
from malaygpt.explain import (
    LEAST_PROBABILITY,
    MOST_ENTROPY,
    MOST_STEPS,
    VERSION,
    Explanation,
    Sentence,
    attention_json,
)
from malaygpt.guard import STAND_INS
from malaygpt.hub import EMBEDDED
from malaygpt.model import ModelConfig, Transformer, attention_weights, build_model
from malaygpt.segment import tidy
from malaygpt.tokenizer import CLS_ID, SEP_ID, Tokenizer
from malaygpt.translator import EXPLAINED, Translator
from malaygpt.watch import Watcher

GREEDY = SearchOptions()
REALISTIC = [
    "The children are playing in the park near the river while their parents watch them.",
    "See https://example.com/a?b=1 or write to me@example.com about 寿司 👍🏽 on 12 May 2024.",
    "I love it😍so much!",
    "Mr. Nikolakopoulos paid RM24,259.50 to YouTube on flight MH370.",
    "The first paragraph is short. It has two sentences.\r\n\r\n  • The second has a list 👨‍👩‍👧‍👦 in it.\n你好\n",
    "zzz zzz zzz buffalo tock tock tock.",
]
texts = st.lists(
    st.text(max_size=12) | st.sampled_from(["Thank you.", " I eat fish. ", "it😍so", "me@a.com", "{1}", "\n", "24 7"]),
    max_size=5,
).map("".join)


@pytest.fixture(scope="module")
def embedded() -> Translator:
    return Translator.load(EMBEDDED, device="cpu", form="float32")


@pytest.fixture
def told(model: Transformer, tokenizer: Tokenizer) -> Callable[[str], Translator]:
    """`told(malay)`: a translator whose model would always say this, if it may"""

    def make(malay: str) -> Translator:
        translator = Translator(model, tokenizer)
        engine = Told(model, [*tokenizer.encode(malay), SEP_ID])
        translator._engines.alone = engine
        translator._watcher = Watcher(engine, tokenizer)
        return translator

    return make


class Told(PlainEngine):
    """Holds each token of a text likely at its place, whatever went before it."""

    def __init__(self, model: Transformer, ids: list[int]) -> None:
        super().__init__(model)
        self._ids = ids

    def step(self, ids, state):
        place = min(state.length, len(self._ids) - 1)
        logits, state = super().step(ids, state)
        logits[:, self._ids[place]] += 30
        return logits, state


def the_sentence(explanation: Explanation) -> Sentence:
    (sentence,) = explanation.sentences
    return sentence


def teacher_forced(model: Transformer, sentence: Sentence) -> torch.Tensor:
    """(T, V): log-probabilities at each place, of the model that is told the translation whole"""
    with torch.inference_mode():
        logits = model(torch.tensor([sentence.source_ids]), torch.tensor([[CLS_ID, *sentence.ids[:-1]]]))[0]
        logits[:, :SEP_ID] = NEVER
        return logits.log_softmax(-1)


def assert_spans_hold(explanation: Explanation) -> None:
    for part in explanation.parts:
        if part.sentence is None:
            assert part.english == part.malay
            continue
        sentence = part.sentence
        assert (sentence.english, sentence.malay) == (part.english, part.malay)
        shown = [said.span for said in sentence.tokens if said.span]
        assert covered(shown) == {*range(len(sentence.malay))}
        assert shown == sorted(shown) and sorted(shown, key=lambda span: span[1]) == sorted(shown)
        assert covered(piece.span for piece in sentence.source[:-1]) >= visible(sentence.english)
        assert sentence.source[-1] == (SEP_ID, None)
        assert covered(word.span for word in sentence.words) >= visible(sentence.malay)
        assert all(one.span[1] <= other.span[0] for one, other in itertools.pairwise(sentence.words))


def covered(spans) -> set[int]:
    return {place for span in spans for place in range(*span)}


def visible(text: str) -> set[int]:
    return {place for place, character in enumerate(text) if not character.isspace()}


# The text and its parts


def test_what_was_learnt_is_explained(translator: Translator, pairs: dict[str, str]):
    for english, malay in pairs.items():
        explanation = translator.explain(english)
        sentence = the_sentence(explanation)
        assert (explanation.english, explanation.malay, sentence.attempts) == (english, malay, 1)
        assert sentence.hypotheses[0].malay == malay
        assert "".join(sentence.pieces[said.token.id] for said in sentence.tokens) == malay + "[SEP]"
        assert "".join(sentence.pieces[piece.id] for piece in sentence.source) == english + "[SEP]"
        assert_spans_hold(explanation)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(texts)
@example("  Thank you.  Good morning!\r\n\r\n\tThe cat sleeps. 👍🏽\n你好\n")
@example("See https://example.com/a?b=1 or write to me@example.com about 寿司 👍🏽 today.")
@example("e\u0301\x00 fish")
def test_any_text_is_explained_with_the_translation_that_it_has(translator: Translator, text: str):
    explanation = translator.explain(text)
    assert explanation.malay == translator.translate(text)
    assert explanation.english == tidy(text)
    assert_spans_hold(explanation)


@pytest.mark.parametrize("text", REALISTIC)
@pytest.mark.parametrize("options", [EXPLAINED, GREEDY], ids=["beams", "greedy"])
def test_a_real_model_is_explained(embedded: Translator, text: str, options: SearchOptions):
    explanation = embedded.explain(text, options)
    assert options != EXPLAINED or explanation.malay == embedded.translate(text)
    assert explanation.english == tidy(text)
    assert_spans_hold(explanation)


def test_characters_that_were_never_finished_have_their_tokens_too():
    """Every token of this vocabulary is one byte, and the model says them at random."""
    bytes_only = Tokenizer.train(["é"], vocab_size=4 + 256)
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = build_model(ModelConfig.preset("tiny", bytes_only.vocab_size)).eval()
    explanation = Translator(model, bytes_only, guarded=False).explain("Say. Something. Odd. Or not, é. " * 3)
    assert "\ufffd" in explanation.malay
    assert_spans_hold(explanation)
    pieces = explanation.to_json()["pieces"].values()
    assert any(piece.startswith("\\x") for piece in pieces)


def test_what_stands_for_something_hidden_is_traced_to_it(embedded: Translator):
    sentence = the_sentence(embedded.explain("I love it😍so much at https://example.com/a"))
    read = "".join(sentence.pieces[i] for i in sentence.source_ids[:-1])
    assert read == sentence.protected.text == "I love it {1} so much at {2}"
    of = {sentence.pieces[piece.id]: sentence.english[slice(*piece.span)] for piece in sentence.source[:-1]}
    assert (of["1"], of["2"], of[" so"]) == ("😍", "https://example.com/a", "so")
    words = {sentence.malay[slice(*word.span)]: word for word in sentence.words}
    assert "copied" in words["https://example.com/a"].marks and "copied" in words["😍"].marks
    assert "2" in {sentence.pieces[sentence.ids[i]] for i in words["https://example.com/a"].tokens}


def test_a_sentence_that_lost_what_was_hidden_is_explained_in_parts(told):
    translator = told("Terima kasih")
    explanation = translator.explain("Thank you, a@b.com and you")
    assert explanation.malay == translator.translate("Thank you, a@b.com and you")
    assert next(part.malay for part in explanation.parts if part.sentence is None).strip(", ") == "a@b.com"
    assert [sentence.english for sentence in explanation.sentences] == ["Thank you", "and you"]
    assert all(sentence.attempts > 1 for sentence in explanation.sentences)
    assert_spans_hold(explanation)


# Tokens and words


def test_probabilities_are_those_of_the_model_that_is_told_the_translation():
    model, tokenizer = load_checkpoint(EMBEDDED, dtype=torch.float32)
    sentence = the_sentence(Translator(model, tokenizer, form="float32").explain(REALISTIC[0]))
    expected = teacher_forced(model, sentence)
    for (token, _), log_probs in zip(sentence.tokens, expected, strict=True):
        assert token.log_prob == pytest.approx(float(log_probs[token.id]), abs=1e-3)
        assert token.entropy == pytest.approx(float(torch.special.entr(log_probs.exp()).sum()), abs=1e-3)
        values, ids = log_probs.topk(8)
        assert [log_prob for _, log_prob in token.alternatives] == pytest.approx(values.tolist(), abs=1e-3)
        assert {i for i, _ in token.alternatives[:3]} <= {*ids.tolist()}
    best = sentence.hypotheses[0]
    assert best.log_prob == pytest.approx(float(sum(expected[t, i] for t, i in enumerate(sentence.ids))), abs=1e-2)


@pytest.mark.parametrize("text", REALISTIC)
def test_words_are_marked_for_what_makes_them_doubtful(embedded: Translator, text: str):
    for sentence in embedded.explain(text).sentences:
        for word in sentence.words:
            tokens = [sentence.tokens[i].token for i in word.tokens]
            assert tokens and word.probability == pytest.approx(math.prod(math.exp(t.log_prob) for t in tokens))
            assert ("unlikely" in word.marks) == (word.probability < LEAST_PROBABILITY)
            assert ("uncertain" in word.marks) == any(token.entropy > MOST_ENTROPY for token in tokens)
            assert ("again" in word.marks) == (sentence.attempts > 1)


def test_a_word_that_the_english_has_is_copied(told):
    sentence = the_sentence(told("Rumah 24, cat!").explain("The cat has 24 rooms!"))
    marked = {sentence.malay[slice(*word.span)]: "copied" in word.marks for word in sentence.words}
    assert marked == {"Rumah": False, "24": True, ",": False, "cat": True, "!": False}


def test_a_loop_that_is_cut_leaves_its_tokens_without_a_span_and_marks_the_word_before_it(told):
    explanation = told("Saya ikan ikan ikan ikan.").explain("I eat fish.", GREEDY)
    sentence = the_sentence(explanation)
    assert explanation.malay == "Saya ikan." and sentence.attempts > 1
    marks = {sentence.malay[slice(*word.span)]: word.marks for word in sentence.words}
    assert marks["ikan"][-2:] == ("cut", "again") and marks["Saya"] == marks["."] == ("again",)
    loop = [said.span for said in sentence.tokens if sentence.pieces[said.token.id] == " ikan"]
    assert loop == [(4, 9), None, None, None]
    assert sentence.hypotheses[0].malay == explanation.malay
    assert_spans_hold(explanation)


def test_the_hypothesis_that_is_shown_is_the_one_explained_and_not_the_likeliest(told):
    translator = told("Saya ikan ikan ikan ikan.")
    explanation = translator.explain("I eat fish.")
    sentence = the_sentence(explanation)
    assert explanation.malay == translator.translate("I eat fish.") and "ikan ikan ikan ikan" not in explanation.malay
    assert sentence.attempts == 2, "the runners-up of the first attempt are not for choosing from"
    assert sentence.malay != sentence.hypotheses[0].malay and sentence.malay in {x.malay for x in sentence.hypotheses}
    assert "".join(sentence.pieces[i] for i in sentence.ids) == sentence.malay + "[SEP]"
    assert_spans_hold(explanation)


def test_the_attempt_that_made_the_translation_is_the_one_explained(translator: Translator):
    """The small model loses this number until it is hidden, or loses it for good: either is as `translate` has it."""
    text = "The fish has 7 cats."
    explanation = translator.explain(text)
    assert explanation.malay == translator.translate(text)
    assert the_sentence(explanation).attempts > 1
    assert_spans_hold(explanation)


def test_alternatives_are_whole_translations_and_none_is_there_twice(embedded: Translator):
    for sentence in embedded.explain(" ".join(REALISTIC[:4])).sentences:
        malay = [each.malay for each in sentence.hypotheses]
        assert sentence.malay in malay and 2 <= len(malay) <= 4 and len({*malay}) == len(malay)
        assert all(item.span in each for each in malay for item in sentence.protected.hidden)
        scores = [each.score for each in sentence.hypotheses]
        assert scores == sorted(scores, reverse=True)


# One decoding


@pytest.mark.parametrize("text", ["Thank you. I eat fish.", "The fish has 7 cats."])
def test_nothing_is_decoded_twice(translator: Translator, text: str, monkeypatch: pytest.MonkeyPatch):
    searches = []
    search = malaygpt.watch.search
    monkeypatch.setattr(malaygpt.watch, "search", lambda *a: (searches.append(a), search(*a))[1])
    monkeypatch.setattr(Translator, "_decode", None)
    explanation = translator.explain(text)
    assert len(searches) == sum(sentence.attempts for sentence in explanation.sentences)
    searches.clear()
    *_, last = translator.stream(text)
    assert last.explanation == explanation
    assert len(searches) == sum(sentence.attempts for sentence in explanation.sentences)


def test_a_stream_ends_with_the_explanation_and_tells_of_tokens_before(translator: Translator, pairs: dict[str, str]):
    text = "  ".join([*pairs, "See https://example.com/a?b=1 or me@example.com 👍🏽 today."])
    *updates, last = translator.stream(text)
    assert last.explanation == translator.explain(text) and last.explanation.malay == last.text
    assert all(update.explanation is None for update in updates) and not last.tokens
    for update in updates:
        assert update.text.endswith("".join(shown.text for shown in update.tokens))
        assert all(shown.text and 0 < shown.probability <= 1 for shown in update.tokens)
        assert not set("{}") & {*"".join(shown.text for shown in update.tokens)}
    whole = [update for update in updates if update.text.endswith("Di manakah buku itu?") and update.tokens]
    said = [said.token for said in last.explanation.sentences[[*pairs].index("Where is the book?")].tokens]
    assert [shown.probability for shown in whole[0].tokens] == [math.exp(token.log_prob) for token in said[:-1]]


def test_a_stream_shows_what_is_hidden_whole_or_not_at_all(told):
    *updates, last = told("Selamat {1} pagi").stream("Good a@b.com morning")
    assert last.text == "Selamat a@b.com pagi"
    for update in updates:
        assert "".join(shown.text for shown in update.tokens) == update.text
        assert not set("{}") & {*update.text}
    hidden = {shown.text.strip() for update in updates for shown in update.tokens if "@" in shown.text}
    assert hidden == {"a@b.com"}


def test_a_stream_shows_nothing_of_further_attempts(told):
    *updates, last = told("Saya ikan ikan ikan ikan.").stream("I eat fish.", GREEDY)
    assert the_sentence(last.explanation).attempts > 1
    assert all(later.text.startswith(earlier.text) for earlier, later in itertools.pairwise(updates))
    assert updates[-1].text == "Saya ikan ikan ikan ikan." and last.text == "Saya ikan."


def test_threads_get_explanations_of_their_own_texts(translator: Translator, pairs: dict[str, str]):
    texts = [" ".join(some) for some in itertools.islice(itertools.permutations(pairs, 2), 0, 60, 5)]
    alone = [translator.explain(text) for text in texts]
    before = dict(vars(translator))
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(translator.explain, texts)) == alone
    assert vars(translator) == before


# Other searches


def test_greedy_decoding_is_explained_as_such(translator: Translator, pairs: dict[str, str]):
    for english, malay in pairs.items():
        explanation = translator.explain(english, GREEDY)
        sentence = the_sentence(explanation)
        assert explanation.malay == malay and len(sentence.hypotheses) == 1
        for (token, _), step in zip(sentence.tokens, sentence.growth, strict=True):
            assert token.id == token.alternatives[0][0]
            assert len(step.rows) + len(step.ended) == 1


def test_samples_repeat_with_their_seed_and_differ_with_another(embedded: Translator):
    def sampled(seed: int) -> str:
        options = SearchOptions(temperature=1.5, top_k=50, top_p=0.98, seed=seed)
        explanation = embedded.explain(REALISTIC[0], options)
        assert_spans_hold(explanation)
        return explanation.malay

    assert sampled(1) == sampled(1)
    assert len({sampled(seed) for seed in range(4)}) > 1


def test_several_samples_are_hypotheses():
    """Without guards, because a sample with a fault would be drawn again, and more of them."""
    unguarded = Translator.load(EMBEDDED, device="cpu", form="float32", guarded=False)
    options = SearchOptions(temperature=1.2, seed=1, num_hypotheses=3)
    sentence = the_sentence(unguarded.explain(REALISTIC[0], options))
    assert len(sentence.hypotheses) == 3 and sentence.malay == sentence.hypotheses[0].malay
    assert len(sentence.growth[0].rows) == 3


def test_hypotheses_of_the_same_words_are_one_alternative(translator: Translator):
    sentence = the_sentence(translator.explain("Thank you.", SearchOptions(temperature=0.01, num_hypotheses=3)))
    assert [each.malay for each in sentence.hypotheses] == ["Terima kasih."]


def test_options_are_those_of_the_search(embedded: Translator):
    options = SearchOptions(num_beams=6, num_hypotheses=3, length_penalty=0.3, num_alternatives=2)
    sentence = the_sentence(embedded.explain(REALISTIC[0], options))
    assert sentence.options == options
    assert len(sentence.growth[3].rows) == 6 and len(sentence.tokens[0].token.alternatives) == 2
    length = min(len(sentence.tokens), len(sentence.source))
    assert sentence.hypotheses[0].score == pytest.approx(sentence.hypotheses[0].log_prob / length**0.3)


# How the beams grew


@pytest.mark.parametrize("text", REALISTIC)
@pytest.mark.parametrize("options", [EXPLAINED, SearchOptions(temperature=1.0, seed=1, num_hypotheses=3)])
def test_the_tree_leads_to_the_translation(embedded: Translator, text: str, options: SearchOptions):
    for sentence in embedded.explain(text, options).sentences:
        paths: list[list[int]] = [[]]
        totals, ended = [0.0], []
        for step in sentence.growth:
            for branch in (*step.rows, *step.ended, *step.cut):
                assert branch.total == pytest.approx(totals[branch.parent] + branch.log_prob)
            taken = {(branch.parent, branch.id) for branch in (*step.rows, *step.ended)}
            assert not taken & {(branch.parent, branch.id) for branch in step.cut}
            assert len(step.cut) <= max(1, len(step.rows))
            ended += [([*paths[branch.parent], branch.id], branch.total) for branch in step.ended]
            paths = [[*paths[branch.parent], branch.id] for branch in step.rows]
            totals = [branch.total for branch in step.rows]
        said = {tuple(ids): total for ids, total in ended}
        assert said[tuple(sentence.ids)] == pytest.approx(sum(token.log_prob for token, _ in sentence.tokens))


def test_what_was_cut_is_the_likeliest_that_is_left(embedded: Translator):
    sentence = the_sentence(embedded.explain(REALISTIC[0]))
    first = sentence.growth[0]
    alternatives = dict(sentence.tokens[0].token.alternatives)
    assert [branch.id for branch in (*first.rows, *first.cut)] != []
    assert {branch.id for branch in (*first.rows, *first.cut)} == {*alternatives}
    assert max(branch.total for branch in first.cut) < min(branch.total for branch in first.rows)


# What was attended to


def test_attention_is_of_the_tokens_that_were_read_and_said(embedded: Translator):
    sentence = the_sentence(embedded.explain(REALISTIC[0]))
    attention = embedded.attend(sentence)
    s, t = len(sentence.source), len(sentence.tokens)
    assert attention.encoder.shape[2:] == (s, s) and attention.decoder.shape[2:] == (t, t)
    assert attention.cross.shape[2:] == (t, s)


def test_attention_is_what_decoding_step_by_step_attended_by(model: Transformer, tokenizer: Tokenizer):
    """Hooks see the queries of every step of the very decoding that is explained."""
    translator = Translator(model, tokenizer)
    translator._watcher = Watcher(PlainEngine(model), tokenizer)
    block = model.decoder.blocks[-1]
    queries = []
    hook = block.cross_attention.query.register_forward_hook(lambda _, __, query: queries.append(query))
    sentence = the_sentence(translator.explain("He eats rice and fish, not meat.", GREEDY))
    hook.remove()
    with torch.inference_mode():
        keys, _ = block.cross_attention.keys_values(model.encode(torch.tensor([sentence.source_ids])))
        seen = [attention_weights(query.unflatten(-1, (2, 16)).transpose(1, 2), keys, None) for query in queries]
    assert len(queries) == len(sentence.tokens)
    torch.testing.assert_close(translator.attend(sentence).cross[-1], torch.cat(seen, dim=2)[0], atol=1e-5, rtol=1e-4)


def test_row_t_is_of_the_choice_of_token_t(tokenizer: Tokenizer):
    """A model made by hand: at the place where its t-th token is chosen, counted from 0, it looks at source token t."""
    config = ModelConfig(tokenizer.vocab_size, 24, 3, 1, 1, 32, max_length=24)
    model = build_model(config).eval().requires_grad_(False)
    for name, parameter in model.named_parameters():
        if name.startswith("embedding") or name.rpartition(".")[0].endswith(("output", "contract")):
            parameter.zero_()  # nothing is left to attend by but positions, and these are of one feature each
    model.positions.table.zero_()[:24] = torch.eye(24)
    for layer in (model.decoder.blocks[0].cross_attention.query, model.decoder.blocks[0].cross_attention.key):
        layer.weight.copy_(torch.eye(8, 24).repeat(3, 1) * 4)
    translator = Translator(model, tokenizer, guarded=False)
    sentence = the_sentence(translator.explain("I eat fish.", SearchOptions(min_length=3, max_length=4)))
    assert len(sentence.tokens) == 4 != len(sentence.source)
    packed = attention_json(translator.attend(sentence))["cross"]
    _, heads, rows, columns = packed["shape"]
    data = base64.b64decode(packed["data"])
    for head, row in itertools.product(range(heads), range(rows)):
        start = (head * rows + row) * columns
        assert max(range(columns), key=lambda s: data[start + s]) == row


def test_packed_attention_is_the_attention(embedded: Translator):
    attention = embedded.attend(the_sentence(embedded.explain(REALISTIC[1])))
    for name, packed in attention_json(attention).items():
        weights = torch.tensor([*base64.b64decode(packed["data"])]).view(packed["shape"]) / 255
        torch.testing.assert_close(weights, getattr(attention, name), atol=1 / 510 + 1e-6, rtol=0)


# Choosing another word


@pytest.mark.parametrize("position", [0, 3, 7])
def test_another_token_is_said_and_only_the_rest_changes(embedded: Translator, position: int):
    before = embedded.explain(" ".join([REALISTIC[0], *REALISTIC[3:5]]))
    old = before.sentences[0]
    choice = next(i for i, _ in old.tokens[position].token.alternatives if i not in (old.ids[position], SEP_ID))
    after = embedded.choose(before, 0, position, choice)
    new = after.sentences[0]
    assert new.ids[: position + 1] == [*old.ids[:position], choice] and new.forced == position + 1
    assert all(len(step.rows) == 1 for step in new.growth[: position + 1]), "nothing else could be said there"
    json.dumps(after.to_json(), allow_nan=False)
    assert after.parts[1:] == before.parts[1:] and after.parts[0].english == before.parts[0].english
    assert after.malay.startswith(new.malay) and new.malay != old.malay
    for one, other in zip(old.tokens[:position], new.tokens[:position], strict=True):
        assert one.token.log_prob == pytest.approx(other.token.log_prob, abs=1e-3)
    assert_spans_hold(after)


def test_the_token_that_was_said_leads_to_the_same_again(translator: Translator, pairs: dict[str, str]):
    explanation = translator.explain(" ".join(pairs))
    for number, sentence in enumerate(explanation.sentences):
        for position, said in enumerate(sentence.tokens):
            chosen = translator.choose(explanation, number, position, said.token.id)
            assert chosen.malay == explanation.malay


def test_a_choice_leaves_the_marks_of_a_sentence_that_was_tried_again(translator: Translator):
    before = translator.explain("The fish has 7 cats.")
    after = translator.choose(before, 0, 0, "Dia")
    assert the_sentence(after).attempts == the_sentence(before).attempts > 1
    assert all("again" in word.marks for word in the_sentence(after).words)


def test_a_word_that_the_reader_types_is_said(embedded: Translator):
    explanation = embedded.explain("The cat eats fish. " + REALISTIC[1])
    first, second = explanation.sentences
    for word in first.words[1:-1]:
        malay = embedded.choose(explanation, 0, word.tokens[0], " zirafah\n").sentences[0].malay
        assert malay.startswith(first.malay[: word.span[0]] + "zirafah")
    assert embedded.choose(explanation, 0, 0, "Harimau").malay.startswith("Harimau")
    comma = embedded.choose(explanation, 0, first.words[1].tokens[0], ", yang").malay
    assert comma.startswith(first.malay[: first.words[0].span[1]] + ", yang")
    kept = embedded.choose(explanation, 1, 0, "Tengok").sentences[1].malay
    assert kept.startswith("Tengok") and all(item.span in kept for item in second.protected.hidden)


def test_a_sentence_can_be_ended_where_that_is_an_alternative(embedded: Translator):
    explanation = embedded.explain(REALISTIC[0])
    sentence = the_sentence(explanation)
    can_end = [t for t, (token, _) in enumerate(sentence.tokens) if t and SEP_ID in dict(token.alternatives)]
    ended = embedded.choose(explanation, 0, can_end[0], SEP_ID)
    assert the_sentence(ended).ids == [*sentence.ids[: can_end[0]], SEP_ID]
    assert sentence.malay.startswith(ended.malay)
    assert_spans_hold(ended)


def test_a_choice_can_be_chosen_from_again(translator: Translator):
    first = translator.explain("The cat sleeps.")
    second = translator.choose(first, 0, 0, "Dia")
    third = translator.choose(second, 0, 0, first.sentences[0].ids[0])
    assert second.malay.startswith("Dia") and third.malay == first.malay == "Kucing itu tidur."


@pytest.mark.parametrize(
    ("sentence", "position", "choice", "message"),
    [
        (2, 0, 10, "There is no sentence 2; the text has 2"),
        (-1, 0, 10, "There is no sentence -1"),
        (0, -1, 10, "There is no token -1"),
        (0, 99, 10, "There is no token 99"),
        (0, 0, 320, "There is no token 320 of text; they are 4 to 319."),
        (0, 0, 2, "There is no token 2 of text"),
        (0, 0, SEP_ID, "cannot end there"),
        (0, 0, " \u200b", "The word to say is empty"),
        (0, 0, "a" * 70, "fewer than 64 tokens"),
    ],
)
def test_a_choice_that_there_is_not_is_refused_in_a_line(
    translator: Translator, sentence: int, position: int, choice: int | str, message: str
):
    explanation = translator.explain("Thank you. I eat fish.")
    with pytest.raises(ValueError, match=message) as refused:
        translator.choose(explanation, sentence, position, choice)
    assert "\n" not in str(refused.value)


def test_a_choice_that_loses_what_must_be_kept_is_refused(told):
    translator = told(f"Terima {STAND_INS[0].format(1)} kasih")
    explanation = translator.explain("Thank you, a@b.com")
    sentence = the_sentence(explanation)
    assert "a@b.com" in sentence.malay
    place = next(word.tokens[0] for word in sentence.words if "copied" in word.marks)
    with pytest.raises(ValueError, match=r"loses a@b\.com; choose another"):
        translator.choose(explanation, 0, place, "x" * 8)


# For the browser


def as_javascript(text: str, span: list[int]) -> str:
    """text.slice(...span)"""
    return text.encode("utf-16-le")[2 * span[0] : 2 * span[1]].decode("utf-16-le")


@pytest.mark.parametrize("text", [*REALISTIC, "", "👍🏽 👍🏽 "])
def test_spans_in_json_are_those_of_javascript(embedded: Translator, text: str):
    explanation = embedded.explain(text)
    written = json.loads(json.dumps(explanation.to_json(), allow_nan=False))
    assert written == explanation.to_json()
    assert (written["version"], written["english"], written["malay"]) == (VERSION, tidy(text), explanation.malay)
    for part, found in zip(explanation.parts, written["parts"], strict=True):
        assert as_javascript(written["english"], found["english"]) == part.english
        assert as_javascript(written["malay"], found["malay"]) == part.malay
        assert (found["sentence"] is None) == (part.sentence is None)
        if part.sentence:
            assert explanation.sentences[found["sentence"]] is part.sentence
    for sentence, found in zip(explanation.sentences, written["sentences"], strict=True):
        for side, items, expected in (
            ("english", found["source"], sentence.source),
            ("malay", found["tokens"], sentence.tokens),
            ("malay", found["words"], sentence.words),
        ):
            for item, each in zip(items, expected, strict=True):
                if each.span is None:
                    assert item["span"] is None
                else:
                    assert as_javascript(found[side], item["span"]) == getattr(sentence, side)[slice(*each.span)]


def test_json_names_every_token_and_holds_what_was_found(embedded: Translator):
    explanation = embedded.explain(REALISTIC[1])
    written, sentence = explanation.to_json(), the_sentence(explanation)
    (found,) = written["sentences"]
    ids = {piece["id"] for piece in found["source"]} | {token["id"] for token in found["tokens"]}
    ids |= {i for token in found["tokens"] for i, _ in token["alternatives"]}
    ids |= {branch[1] for step in found["growth"] for branches in step.values() for branch in branches}
    assert {str(i) for i in ids} == written["pieces"].keys()
    assert written["pieces"][str(SEP_ID)] == "[SEP]"
    assert found["read"] == sentence.protected.text
    assert [token["log_prob"] for token in found["tokens"]] == [round(t.log_prob, 4) for t, _ in sentence.tokens]
    assert [token["entropy"] for token in found["tokens"]] == [round(t.entropy, 4) for t, _ in sentence.tokens]
    for token, (said, _) in zip(found["tokens"], sentence.tokens, strict=True):
        assert token["alternatives"] == [[i, round(log_prob, 4)] for i, log_prob in said.alternatives]
    assert [word["marks"] for word in found["words"]] == [list(word.marks) for word in sentence.words]
    assert found["search"]["num_beams"] == 4
    best = max((branch for step in found["growth"] for branch in step["ended"]), key=lambda branch: branch[4])
    assert best[4] == found["hypotheses"][0]["score"]


def test_a_sentence_of_thirty_words_with_all_its_attention_is_less_than_400_kilobytes(embedded: Translator):
    text = (
        "The government announced yesterday that it would build three new hospitals in the northern states by the end "
        "of next year, although many doctors say that this will not be enough."
    )
    explanation = embedded.explain(text)
    attention = attention_json(embedded.attend(the_sentence(explanation)))
    assert len(json.dumps(explanation.to_json())) + len(json.dumps(attention)) < 400_000


def test_the_json_of_a_long_text_leaves_out_how_later_sentences_grew(translator: Translator):
    explanation = translator.explain("He eats rice and fish, not meat. " * 60)
    grown = [sentence["growth"] for sentence in explanation.to_json()["sentences"]]
    num_steps = sum(len(steps) for steps in grown if steps is not None)
    assert num_steps <= MOST_STEPS < num_steps + len(explanation.sentences[0].growth)
    assert grown[0] and grown[-1] is None
    assert explanation.sentences[-1].to_json()["growth"] == grown[0]
