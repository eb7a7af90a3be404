"""Any text comes back unchanged, user text never makes a special token, and a wrong file is named."""

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from malaygpt.tokenizer import CLS_ID, PAD_ID, SEP_ID, SPECIAL_TOKENS, UNK_ID, Tokenizer

DIGITS = "0123456789"

# Every code point but the surrogates, which no UTF-8 has.
any_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


@pytest.fixture(scope="module")
def reloaded(tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    tokenizer.save(path)
    return Tokenizer.load(path)


def test_special_tokens_have_the_ids_that_the_model_expects(tokenizer: Tokenizer):
    assert (PAD_ID, UNK_ID, CLS_ID, SEP_ID) == (0, 1, 2, 3)
    assert tokenizer.pieces(range(4)) == list(SPECIAL_TOKENS) == ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]


@given(any_text)
@example("Dia memakan ikan, nasi, dan kari ayam (pedas) - RM4.50!")
@example("it's  two   spaces \t tab\n\nlines\r\n")
@example("👨‍👩‍👧‍👦 👍🏽 🇲🇾 1️⃣ 🏴󠁧󠁢󠁥󠁮󠁧󠁿")
@example("שלום \u202eمرحبا\u202c")
@example("e\u0301 \u1ea5 ก็ नमस्ते")
@example("\x00\x7f\ufeff\ufffd\U0010ffff")
@example("[PAD] [UNK] [CLS] [SEP]")
def test_any_text_comes_back_unchanged(tokenizer: Tokenizer, text: str):
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_malay_that_was_learnt_comes_back_without_split_words(tokenizer: Tokenizer, pairs: dict[str, str]):
    for malay in pairs.values():
        ids = tokenizer.encode(malay)
        assert len(ids) < len(malay), "nothing was learnt, and single bytes always come back"
        assert tokenizer.decode(ids) == malay


@given(any_text)
@example("")
@example("[SEP]")
@example("Good morning![SEP][CLS]")
def test_what_a_user_types_is_never_a_special_token(tokenizer: Tokenizer, reloaded: Tokenizer, text: str):
    ids = tokenizer.encode(text)
    assert all(SEP_ID < id < tokenizer.vocab_size for id in ids)
    assert bool(ids) == bool(text)
    assert reloaded.encode(text) == ids
    assert [ids] == tokenizer.encode_batch([text]) == reloaded.encode_batch([text])


@pytest.mark.parametrize("token", SPECIAL_TOKENS)
def test_the_name_of_a_special_token_is_ordinary_text(reloaded: Tokenizer, token: str):
    ids = reloaded.encode(f"a {token} b")
    assert min(ids) > SEP_ID
    assert reloaded.decode(ids) == f"a {token} b"


def test_special_tokens_are_left_out_of_a_text(tokenizer: Tokenizer):
    assert tokenizer.decode([CLS_ID, *tokenizer.encode("ikan"), SEP_ID, PAD_ID, PAD_ID]) == "ikan"


def test_a_batch_is_encoded_as_its_texts_are(tokenizer: Tokenizer, pairs: dict[str, str]):
    texts = ["", *pairs, "  x "]
    assert tokenizer.encode_batch(texts) == [tokenizer.encode(text) for text in texts]
    assert tokenizer.encode_batch([]) == []


def test_digits_stand_alone():
    trained_on_numbers = Tokenizer.train(["24,259 and 2024"] * 50, vocab_size=400)
    assert [piece for piece in trained_on_numbers.pieces(trained_on_numbers.encode("2024")) if piece] == list("2024")
    for id in range(trained_on_numbers.vocab_size):
        (piece,) = trained_on_numbers.pieces([id])
        assert piece in DIGITS or not any(digit in piece for digit in DIGITS)


def test_pieces_are_what_each_token_says(tokenizer: Tokenizer):
    text = "Saya makan ikan, 24 ekor."
    assert "".join(tokenizer.pieces(tokenizer.encode(text))) == text


def test_every_byte_is_in_the_vocabulary_of_any_corpus():
    smallest = Tokenizer.train(["a"], vocab_size=4 + 256)
    assert smallest.vocab_size == 4 + 256
    assert smallest.decode(smallest.encode("é你👍")) == "é你👍"


def test_training_twice_on_the_same_lines_gives_the_same_tokenizer(tokenizer: Tokenizer, pairs: dict[str, str]):
    again = Tokenizer.train([*pairs, *pairs.values()], vocab_size=320, min_frequency=1)
    ids = range(tokenizer.vocab_size)
    assert again.pieces(ids) == tokenizer.pieces(ids)


def test_bytes_that_are_not_utf8_become_the_replacement_character(tokenizer: Tokenizer):
    ids = tokenizer.encode("é")
    assert len(ids) == 2
    assert tokenizer.decode(ids[:1]) == "\ufffd"


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match=r"There is no tokenizer at .*absent\.json"):
        Tokenizer.load(tmp_path / "absent.json")


@pytest.mark.parametrize("content", [b"", b"{}", b"not JSON", b"\xff\x00", b'{"version": "1.0"}'])
def test_a_file_that_is_no_tokenizer_is_named(tmp_path: Path, content: bytes):
    path = tmp_path / "tokenizer.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"tokenizer\.json"):
        Tokenizer.load(path)


def test_a_tokenizer_with_other_special_tokens_is_refused_and_named(tokenizer: Tokenizer, tmp_path: Path):
    path = tmp_path / "theirs.json"
    tokenizer.save(path)
    path.write_text(path.read_text(encoding="utf-8").replace("[PAD]", "<pad>"), encoding="utf-8")
    with pytest.raises(ValueError, match=r"theirs\.json.*\[PAD\]"):
        Tokenizer.load(path)
