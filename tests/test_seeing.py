"""What the views ask is answered as the library would, and a question that cannot be is refused in one line.

The embedded checkpoint answers; no test needs it to say anything in particular.
"""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from malaygpt.attribution import occlude
from malaygpt.broken import Breakage
from malaygpt.comparing import compare, parts_json
from malaygpt.decode import SearchOptions
from malaygpt.explain import MOST_HYPOTHESES, NUM_ALTERNATIVES, Explanation, Sentence, attention_json
from malaygpt.figures import figures, lines
from malaygpt.hub import EMBEDDED
from malaygpt.model import Transformer
from malaygpt.seeing import LONGEST_WORD, MOST_BREAKAGES, MOST_CHOICES, Seeing, read_options
from malaygpt.timeline import TIMELINE, load_timeline
from malaygpt.tokenizer import CLS_ID, SEP_ID, Tokenizer
from malaygpt.translator import EXPLAINED, MAX_CHARS, InputError, Translator

MODEL = Path(__file__).resolve().parent.parent / "malaygpt" / "model.py"
ENGLISH = "The children are playing in the park near the river."
TEXT = f"Good morning!\n\n{ENGLISH} Write to me@example.com on 12 May 2024."
BREAKAGES = ["no_positions", "no_head:cross.1.3"]
SAMPLING = {"temperature": 1.5, "top_k": 50, "top_p": 0.95, "seed": 7}
OPTIONS = [
    {},
    {"num_beams": 1},
    {"num_beams": 2, "length_penalty": 0.5, "no_repeat_ngram": 2},
    SAMPLING,
    {"temperature": None, "seed": None},
]


@pytest.fixture(scope="module")
def translator() -> Translator:
    return Translator.load(EMBEDDED, device="cpu", form="float32")


@pytest.fixture(scope="module")
def seeing(translator: Translator) -> Seeing:
    return Seeing(translator)


@pytest.fixture(scope="module")
def explanation(translator: Translator) -> Explanation:
    return translator.explain(ENGLISH)


def ask(seeing: Seeing, kind: str, payload: dict) -> dict | list | None:
    """The answer as a browser gets it, from a question as a browser sends it"""
    answer = seeing.answer(kind, json.loads(json.dumps(payload)))
    return json.loads(json.dumps(answer, allow_nan=False))


def ids_of(sentence: Sentence) -> dict:
    return {"source": sentence.source_ids, "tokens": sentence.ids}


def another(sentence: Sentence, position: int) -> int:
    """The likeliest token of text that was not said there"""
    alternatives = sentence.tokens[position].token.alternatives
    return next(i for i, _ in alternatives if i not in (sentence.ids[position], SEP_ID))


def choice_in(sentence: Sentence, choices: list, options: dict | None = None, said: list[int] | None = None) -> dict:
    said = sentence.ids if said is None else said
    return {"english": sentence.english, "options": options or {}, "said": said, "choices": choices}


def as_answer(sentence: Sentence) -> dict:
    return {"sentence": sentence.to_json(), "pieces": {str(i): text for i, text in sentence.pieces.items()}}


# Every kind of question


def test_attention_is_what_the_translator_attends_to(seeing: Seeing, translator: Translator):
    for sentence in translator.explain(TEXT).sentences:
        assert ask(seeing, "attention", ids_of(sentence)) == attention_json(translator.attend(sentence))


def test_attribution_is_that_of_occlusion(seeing: Seeing, translator: Translator, explanation: Explanation):
    (sentence,) = explanation.sentences
    src, tgt = torch.tensor([sentence.source_ids]), torch.tensor([[CLS_ID, *sentence.ids]])
    assert ask(seeing, "attribution", ids_of(sentence)) == occlude(translator.exact, src, tgt).to_json()


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_a_search_is_the_translation_with_these_options(seeing: Seeing, translator: Translator, options: dict):
    expected = translator.explain(TEXT, read_options(options)).to_json()
    assert ask(seeing, "search", {"text": TEXT, "options": options}) == expected
    searched = expected["sentences"][0]["search"]
    assert {name: searched[name] for name in options} == options


def test_parts_are_those_of_the_model(seeing: Seeing, translator: Translator):
    assert ask(seeing, "parts", {}) == json.loads(json.dumps(parts_json(translator.model.config)))


@pytest.mark.parametrize("breakages", [[], BREAKAGES])
def test_a_comparison_is_that_with_the_broken_model(seeing: Seeing, translator: Translator, breakages: list[str]):
    broken = [Breakage.parse(each) for each in breakages]
    expected = compare(translator.exact, translator.tokenizer, ENGLISH, broken).to_json()
    assert ask(seeing, "break", {"text": ENGLISH, "breakages": breakages}) == expected


def test_the_timeline_is_the_checkpoint_s(checkpoint: Path, tmp_path: Path, translator: Translator):
    for path in checkpoint.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    assert Seeing(Translator.load(tmp_path, device="cpu")).answer("timeline", {}) is None
    (tmp_path / TIMELINE).write_bytes((EMBEDDED / TIMELINE).read_bytes())
    found = ask(Seeing(Translator.load(tmp_path, device="cpu")), "timeline", {})
    assert found == load_timeline(EMBEDDED) == ask(Seeing(translator), "timeline", {}) is not None


def test_a_model_without_a_checkpoint_has_no_timeline(model: Transformer, tokenizer: Tokenizer):
    assert Seeing(Translator(model, tokenizer)).answer("timeline", {}) is None


def test_figures_are_the_model_s_and_each_links_to_its_line(seeing: Seeing, translator: Translator):
    found = seeing.figures("source")
    links = found.pop("links")
    assert found == figures(translator.model)
    assert found.keys() <= links.keys() == lines().keys()
    num_lines = len(MODEL.read_text(encoding="utf-8").splitlines())
    for name, link in links.items():
        page, line = link.split("#L")
        assert page == "source" and 1 <= int(line) <= num_lines and int(line) == lines()[name]


# Choosing


@pytest.mark.parametrize("options", OPTIONS[:4], ids=str)
@pytest.mark.parametrize("position", [0, 2])
def test_a_choice_is_that_in_the_translation_s_own_explanation(
    seeing: Seeing, translator: Translator, options: dict, position: int
):
    explanation = translator.explain(ENGLISH, read_options(options))
    (sentence,) = explanation.sentences
    token = another(sentence, position)
    expected = translator.choose(explanation, 0, position, token).sentences[0]
    assert expected.ids[: position + 1] == [*sentence.ids[:position], token]
    assert ask(seeing, "choose", choice_in(sentence, [[position, token]], options)) == as_answer(expected)


def test_a_sentence_is_chosen_in_as_it_stands_in_its_text(seeing: Seeing, translator: Translator):
    explanation = translator.explain(TEXT)
    assert len(explanation.sentences) > 2
    for number, sentence in enumerate(explanation.sentences):
        choice = [1, another(sentence, 1)]
        expected = translator.choose(explanation, number, *choice).sentences[number]
        assert ask(seeing, "choose", choice_in(sentence, [choice])) == as_answer(expected)


def test_choices_in_turn_build_on_each_other(seeing: Seeing, translator: Translator, explanation: Explanation):
    (sentence,) = explanation.sentences
    first = [1, another(sentence, 1)]
    once = translator.choose(explanation, 0, *first)
    second = [0, another(once.sentences[0], 0)]
    third = [1, "harimau"]
    twice = translator.choose(once, 0, *second)
    thrice = translator.choose(twice, 0, *third)
    for choices, before, after in (
        ([first], explanation, once),
        ([first, second], once, twice),
        ([first, second, third], twice, thrice),
    ):
        question = choice_in(sentence, choices, said=before.sentences[0].ids)
        assert ask(seeing, "choose", question) == as_answer(after.sentences[0])


def test_a_word_that_is_typed_is_said(seeing: Seeing, translator: Translator, explanation: Explanation):
    (sentence,) = explanation.sentences
    place = sentence.words[1].tokens[0]
    answer = ask(seeing, "choose", choice_in(sentence, [[place, "zirafah"]]))
    assert answer == as_answer(translator.choose(explanation, 0, place, "zirafah").sentences[0])
    assert answer["sentence"]["malay"].startswith(sentence.malay[: sentence.words[1].span[0]] + "zirafah")


def test_a_choice_in_what_was_not_said_is_refused(seeing: Seeing, explanation: Explanation):
    (sentence,) = explanation.sentences
    first = [1, another(sentence, 1)]
    for said in ([], sentence.ids[:-1], [*sentence.ids, SEP_ID], [another(sentence, 0), *sentence.ids[1:]], None):
        question = {**choice_in(sentence, [first]), "said": said}
        assert "has changed meanwhile" in refusal(seeing, "choose", question)
    # What was said before the first choice is not what was said before the second.
    assert "has changed meanwhile" in refusal(seeing, "choose", choice_in(sentence, [first, first]))
    assert "has changed meanwhile" in refusal(seeing, "choose", choice_in(sentence, [first], SAMPLING))


# What cannot be answered


def refusal(seeing: Seeing, kind: object, payload: object) -> str:
    with pytest.raises(InputError) as refused:
        seeing.answer(kind, payload)
    message = str(refused.value)
    assert message and "\n" not in message and message.endswith(".")
    return message


GOOD = {
    "attention": {"source": [5, SEP_ID], "tokens": [6, SEP_ID]},
    "attribution": {"source": [5, SEP_ID], "tokens": [6, SEP_ID]},
    "choose": {"english": ENGLISH, "options": {}, "said": [5], "choices": [[0, 5]]},
    "search": {"text": "Good morning.", "options": {}},
    "parts": {},
    "break": {"text": "Good morning.", "breakages": BREAKAGES},
    "timeline": {},
}
WRONG = [None, 5, 0.5, True, "", "ab", b"ab", [None], [[]], ["a", "b"], [0.5], [True], [-1], {}, {"a": 1}, {5: 5}, {5}]
"""What no field takes, but for those named in FITTING"""
FITTING = {("options", "{}"), ("text", "'ab'")}


@pytest.mark.parametrize("kind", [None, "", "answer", "figures", "__init__", 5, [], {}])
def test_an_unknown_kind_is_refused(seeing: Seeing, kind: object):
    assert refusal(seeing, kind, {}) == "That question is malformed."


@pytest.mark.parametrize("kind", GOOD)
def test_missing_and_additional_fields_are_refused(seeing: Seeing, kind: str):
    for payload in (None, 5, "ab", [], [["text", "a"]], {**GOOD[kind], "more": 1}, {5: 5}):
        assert refusal(seeing, kind, payload) == "That question is malformed."
    for field in GOOD[kind]:
        payload = {name: value for name, value in GOOD[kind].items() if name != field}
        assert refusal(seeing, kind, payload) == "That question is malformed."


@pytest.mark.parametrize(("kind", "field"), [(kind, field) for kind, good in GOOD.items() for field in good])
def test_a_field_of_a_wrong_type_is_refused(seeing: Seeing, kind: str, field: str):
    for value in WRONG:
        if (field, repr(value)) not in FITTING:
            refusal(seeing, kind, {**GOOD[kind], field: value})


@pytest.mark.parametrize("kind", ["attention", "attribution"])
@pytest.mark.parametrize("field", ["source", "tokens"])
def test_tokens_that_there_are_not_are_refused(seeing: Seeing, translator: Translator, kind: str, field: str):
    config = translator.model.config
    for ids in ([config.vocab_size], [-1], [2**70], [5, None]):
        assert "Tokens are whole numbers" in refusal(seeing, kind, {**GOOD[kind], field: ids})
    for ids in ([], [5] * (config.max_length + 1)):
        assert f"That is {len(ids)} tokens" in refusal(seeing, kind, {**GOOD[kind], field: ids})


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ([], "That is 0 choices"),
        ([[0, 5]] * (MOST_CHOICES + 1), f"That is {MOST_CHOICES + 1} choices"),
        ([[-1, 5]], "There is no token -1;"),
        ([[10**9, 5]], "There is no token 1000000000;"),
        ([[0, 2**70]], f"There is no token {2**70} of text"),
        ([[0, -1]], "There is no token -1 of text"),
        ([[0, SEP_ID]], "cannot end there"),
        ([[0, ""]], "The word to say is empty"),
        ([[0, "\ud800\n"]], "The word to say is empty"),
        ([[0, "a" * (LONGEST_WORD + 1)]], f"that one has {LONGEST_WORD + 1}."),
        ([[0]], "malformed"),
        ([[0, 5, 5]], "malformed"),
        ([[0, None]], "malformed"),
        ([[True, 5]], "malformed"),
        ([[0.0, 5]], "malformed"),
        ([[0, [5]]], "malformed"),
        (["ab"], "malformed"),
        ([{0: 1, 5: 1}], "malformed"),
    ],
)
def test_a_choice_that_cannot_be_made_is_refused(seeing: Seeing, explanation: Explanation, choices: list, message: str):
    (sentence,) = explanation.sentences
    assert message in refusal(seeing, "choose", choice_in(sentence, choices))


@pytest.mark.parametrize(
    ("breakages", "message"),
    [
        (["no_such_part"], "There is no breakage 'no_such_part'"),
        (["no_head:cross.99.0"], "the model has"),
        (["no_head:cross"], "takes"),
        (["no_head:cross.1.2.3"], "is no breakage"),
        (["no_positions", "wrong_positions"], "cannot be combined"),
        (["no_positions"] * (MOST_BREAKAGES + 1), f"That is {MOST_BREAKAGES + 1} breakages"),
    ],
)
def test_what_cannot_be_broken_is_refused(seeing: Seeing, breakages: list[str], message: str):
    assert message in refusal(seeing, "break", {"text": ENGLISH, "breakages": breakages})


@pytest.mark.parametrize("kind", ["search", "break", "choose"])
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Type some English"),
        (" \u200b\ud800\n", "Type some English"),
        ("a" * (MAX_CHARS + 1), f"That is {MAX_CHARS + 1:,} characters"),
    ],
)
def test_a_text_that_cannot_be_translated_is_refused(seeing: Seeing, kind: str, text: str, message: str):
    field = "english" if kind == "choose" else "text"
    assert message in refusal(seeing, kind, {**GOOD[kind], field: text})


def test_a_sentence_that_is_too_long_to_be_read_at_once_is_refused(seeing: Seeing):
    text = "word " * 290
    assert "tokens" in refusal(seeing, "break", {**GOOD["break"], "text": text})
    assert "1,500" in refusal(seeing, "search", {**GOOD["search"], "text": "word " * 301})


def test_what_is_no_sentence_has_nothing_to_choose(seeing: Seeing):
    for english in ("👍", "123", "\n1.\n", "a\ud800"):
        refusal(seeing, "choose", {**GOOD["choose"], "english": english})


# Options


def test_without_options_a_text_is_decoded_as_it_is_translated():
    assert read_options({}) == read_options({"num_beams": EXPLAINED.num_beams}) == EXPLAINED


def test_options_that_are_null_are_as_if_not_given():
    assert read_options({"temperature": None, "seed": None}) == EXPLAINED


def test_samples_are_drawn_one_at_a_time():
    assert read_options(SAMPLING) == SearchOptions(num_alternatives=NUM_ALTERNATIVES, **SAMPLING)


@pytest.mark.parametrize("num_beams", [1, 2, 8])
def test_as_many_hypotheses_are_told_of_as_there_are_beams(num_beams: int):
    options = read_options({"num_beams": num_beams})
    assert (options.num_beams, options.num_hypotheses) == (num_beams, min(num_beams, MOST_HYPOTHESES))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_length": 5}, "There is no option 'max_length'"),
        ({"num_hypotheses": 2}, "There is no option 'num_hypotheses'"),
        ({"beams": 5, "a\nb": 1}, r"There is no option 'a\nb'"),
        ({"num_beams": 4, "temperature": 1}, "not both"),
        ({"top_k": 5}, "belong to sampling"),
        ({"num_beams": 0}, "num_beams is 0"),
        ({"num_beams": 33}, "num_beams is 33"),
        ({"num_beams": None}, "num_beams is None"),
        ({"num_beams": "4"}, "num_beams is '4'"),
        ({"num_beams": True}, "num_beams is True"),
        ({"num_beams": [4]}, "num_beams is [4]"),
        ({"length_penalty": -1}, "length_penalty is -1"),
        ({"length_penalty": None}, "length_penalty is None"),
        ({"length_penalty": 1000}, "length_penalty is 1000"),
        ({"length_penalty": 10**400}, "length_penalty is 1000"),
        ({"length_penalty": float("nan")}, "length_penalty is nan"),
        ({"temperature": 0}, "temperature is 0"),
        ({"temperature": 1e-320}, "temperature is 1e-320"),
        ({"temperature": 10**400}, "temperature is 1000"),
        ({"temperature": float("inf")}, "temperature is inf"),
        ({"temperature": "1"}, "temperature is '1'"),
        ({"temperature": 1, "top_p": 0}, "top_p is 0"),
        ({"temperature": 1, "top_p": "1"}, "top_p is '1'"),
        ({"temperature": 1, "top_k": -1}, "top_k is -1"),
        ({"temperature": 1, "seed": -1}, "seed is -1"),
        ({"temperature": 1, "seed": 0.5}, "seed is 0.5"),
        ({"no_repeat_ngram": 0.5}, "no_repeat_ngram is 0.5"),
        (None, "Options are an object"),
        ([], "Options are an object"),
        ([[]], "Options are an object"),
        ("", "Options are an object"),
    ],
)
def test_options_that_cannot_be_are_refused(seeing: Seeing, options: object, message: str):
    for kind in ("search", "choose"):
        assert message in refusal(seeing, kind, {**GOOD[kind], "options": options})
    with pytest.raises(InputError):
        read_options(options)


@pytest.mark.parametrize(
    "options",
    [
        {"length_penalty": 100, "num_beams": 2},
        {"length_penalty": 0},
        {"temperature": 1e-3, "top_p": 1e-320, "seed": 2**58 - 1},
        {"temperature": 1000, "top_k": 2**70, "seed": 0},
        {"no_repeat_ngram": 2**70},
        {"no_repeat_ngram": 1, "num_beams": 8},
    ],
    ids=str,
)
def test_options_at_their_limits_can_be_searched_with(seeing: Seeing, options: dict):
    (sentence,) = ask(seeing, "search", {"text": "Thank you very much, doctor.", "options": options})["sentences"]
    assert sentence["tokens"]


# Many visitors


def test_questions_leave_nothing_behind(seeing: Seeing, explanation: Explanation):
    (sentence,) = explanation.sentences
    first = [1, another(sentence, 1)]
    questions = [
        ("choose", choice_in(sentence, [first])),
        ("attention", ids_of(sentence)),
        ("attribution", ids_of(sentence)),
        ("break", {"text": ENGLISH, "breakages": BREAKAGES}),
        ("search", {"text": ENGLISH, "options": SAMPLING}),
        ("choose", choice_in(sentence, [[0, another(sentence, 0)]])),
    ]
    alone = [ask(seeing, *question) for question in questions]
    assert [ask(seeing, *question) for question in reversed(questions)] == alone[::-1]
    with ThreadPoolExecutor(4) as threads:
        asked = questions * 3
        assert list(threads.map(lambda question: ask(seeing, *question), asked)) == alone * 3
