"""The whole and the broken model beside each other, and what is sent of them, with the embedded checkpoint."""

import json
from base64 import b64decode
from dataclasses import fields

import pytest
import torch
from torch import Tensor

from malaygpt.broken import KINDS, PARTS, Breakage, broken
from malaygpt.checkpoint import load_checkpoint
from malaygpt.comparing import ZERO, Comparison, compare, parts_json
from malaygpt.decode import SearchOptions, search_batch
from malaygpt.engine import PlainEngine
from malaygpt.hub import EMBEDDED
from malaygpt.model import Transformer
from malaygpt.tokenizer import CLS_ID, SEP_ID, Tokenizer

SENTENCE = "The dog bit the man who had fed the cat."
PARAMETERS = {"no_head": ("cross", 1, 0), "no_layer": ("encoder", 0)}
EVERY = [Breakage(key, *PARAMETERS.get(key, ())) for key in PARTS]


@pytest.fixture(scope="module")
def embedded() -> tuple[Transformer, Tokenizer]:
    return load_checkpoint(EMBEDDED)


def compared(embedded: tuple[Transformer, Tokenizer], *breakages: str, text: str = SENTENCE) -> Comparison:
    return compare(*embedded, text, [Breakage.parse(each) for each in breakages])


def weights(packed: dict) -> Tensor:
    """(L, H, N, M), as the docstring says to read them"""
    data = torch.tensor(list(b64decode(packed["data"]))).reshape(packed["shape"]).double() / 255
    if "scale" not in packed:
        return data
    lowest, highest = torch.tensor(packed["scale"]).double()[..., None, None].unbind(2)
    return lowest + data * (highest - lowest)


def attended(model: Transformer, tokenizer: Tokenizer, ids: list[int]) -> dict[str, Tensor]:
    """What the model attended to while it said `ids` of SENTENCE"""
    src, tgt = [[*tokenizer.encode(SENTENCE), SEP_ID]], [[CLS_ID, *ids[:-1]]]
    attention = model.attend(torch.tensor(src), torch.tensor(tgt))
    return {kind: getattr(attention, kind) for kind in KINDS}


@pytest.mark.parametrize("breakage", EVERY, ids=str)
def test_each_side_is_what_its_model_decodes_greedily_with_its_attention(
    embedded: tuple[Transformer, Tokenizer], breakage: Breakage
):
    model, tokenizer = embedded
    found = compare(model, tokenizer, SENTENCE, [breakage])
    for side, each in ((found.whole, model), (found.broken, broken(model, [breakage]))):
        options = SearchOptions(max_length=side.most_tokens)
        ((expected,),) = search_batch(PlainEngine(each), [tokenizer.encode(SENTENCE)], options)
        assert side.sentence.ids == [token.id for token in expected.tokens]
        assert side.sentence.malay == " ".join(tokenizer.decode(expected.ids).split())
        assert side.is_stopped == (not expected.complete)
        sent = json.loads(json.dumps(side.to_json(), allow_nan=False))
        for kind, true in attended(each, tokenizer, side.sentence.ids).items():
            step = (
                (true.abs().amax((-2, -1)) / ZERO)[..., None, None] if "scale" in sent["attention"][kind] else 1 / 255
            )
            assert ((weights(sent["attention"][kind]) - true).abs() <= 0.51 * step + 1e-6).all()


def test_what_is_sent_names_every_token_and_places_its_text(embedded: tuple[Transformer, Tokenizer]):
    found = compared(embedded, "no_positions").to_json()
    assert list(found) == ["whole", "broken"]
    for side in found.values():
        assert side["malay"] == side["sentence"]["malay"]
        for token in side["sentence"]["tokens"]:
            assert str(token["id"]) in side["pieces"]
            assert all(str(i) in side["pieces"] for i, _ in token["alternatives"])
        assert [side["pieces"][str(each["id"])] for each in side["sentence"]["source"]][-1] == "[SEP]"
    assert found["whole"]["sentence"]["source"] == found["broken"]["sentence"]["source"]
    assert found["whole"]["malay"] != found["broken"]["malay"]


def test_only_weights_that_are_no_shares_have_a_scale_and_there_zero_is_exact(
    embedded: tuple[Transformer, Tokenizer],
):
    found = compared(embedded, "raw_scores", "no_head:decoder.1.2").to_json()
    assert not any("scale" in found["whole"]["attention"][kind] for kind in KINDS)
    decoder = found["broken"]["attention"]["decoder"]
    assert torch.tensor(decoder["scale"]).shape == (*decoder["shape"][:2], 2)
    read = weights(decoder)
    later = torch.ones(decoder["shape"][2:]).triu(1).bool()
    assert read[..., later].abs().max() < 1e-5
    assert b64decode(decoder["data"])[1] == ZERO, "what the first token may not attend to"
    assert read[1, 2].abs().max() < 1e-5
    assert read.min() < -1
    assert read.max() > 1


def test_a_model_that_finds_no_end_is_stopped_and_says_so(embedded: tuple[Transformer, Tokenizer]):
    found = compared(embedded, "no_norm").to_json()["broken"]
    assert found["stopped"]
    assert len(found["sentence"]["tokens"]) == found["most_tokens"] < 60
    whole = compared(embedded).to_json()["whole"]
    assert not whole["stopped"]
    assert whole["most_tokens"] == found["most_tokens"] > len(whole["sentence"]["tokens"])


def test_with_nothing_broken_both_are_the_same(embedded: tuple[Transformer, Tokenizer]):
    found = compared(embedded).to_json()
    assert found["whole"] == found["broken"]


def test_the_text_is_read_as_one_line_and_nothing_is_hidden(embedded: tuple[Transformer, Tokenizer]):
    found = compared(embedded, text="  See\nhttps://example.com/a \t at 10. ").whole.sentence
    assert found.english == found.protected.text == "See https://example.com/a at 10."


@pytest.mark.parametrize(
    ("text", "breakages", "message"),
    [
        (" \n", [], "There is no sentence to compare; type some English."),
        ("A cat.", ["no_positions", "wrong_positions"], "no_positions and wrong_positions cannot be combined"),
        ("A cat.", ["no_layer:encoder.9"], "no_layer:encoder.9: the model has 4 of these layers"),
        ("A cat.", ["no_norm", "raw_scores"], "numbers too large to go on with; break less at a time."),
        ("A cat.", ["no_cross_attention", "no_norm", "raw_scores"], "too large to go on with"),
    ],
)
def test_what_cannot_be_compared_is_said_in_one_line(
    embedded: tuple[Transformer, Tokenizer], text: str, breakages: list[str], message: str
):
    with pytest.raises(ValueError) as error:
        compared(embedded, *breakages, text=text)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_sentence_may_have_sixty_tokens_and_no_more(embedded: tuple[Transformer, Tokenizer]):
    _, tokenizer = embedded
    ids = tokenizer.encode("The cat sees " + "the cat and " * 40)
    assert len(compared(embedded, text=tokenizer.decode(ids[:60])).whole.sentence.source) == 61
    with pytest.raises(ValueError, match="That is 61 tokens; the most that can be compared is 60"):
        compared(embedded, text=tokenizer.decode(ids[:61]))


def test_a_short_model_bounds_what_it_says(model: Transformer, tokenizer: Tokenizer):
    text = "The cat sleeps. " * 20
    with pytest.raises(ValueError, match="the most that can be compared is 60"):
        compare(model, tokenizer, text, [])
    longest = tokenizer.decode(tokenizer.encode(text)[:58])
    assert compare(model, tokenizer, longest, []).whole.most_tokens == model.config.max_length == 64


def test_all_that_can_be_broken_is_told_with_its_texts(embedded: tuple[Transformer, Tokenizer]):
    model, _ = embedded
    found = json.loads(json.dumps(parts_json(model.config)))
    assert [part["key"] for part in found["parts"]] == list(PARTS)
    names = {"removed", "look_for", "needs", "replaces", "from_tutorial"}
    assert names == {field.name for field in fields(PARTS["no_head"])} - {"reruns"}
    for part in found["parts"]:
        assert part.keys() == {"key", *names}
        true = PARTS[part["key"]]
        assert [part[name] for name in sorted(names - {"needs"})] == [
            getattr(true, name) for name in sorted(names - {"needs"})
        ]
        assert tuple(part["needs"]) == true.needs
    assert found["shape"] == {
        "encoder": len(model.encoder.blocks),
        "decoder": len(model.decoder.blocks),
        "heads": model.config.num_heads,
    }
