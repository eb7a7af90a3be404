"""Characters keep their origins through edits, and bytes become the characters that the tokenizer makes of them."""

from hypothesis import given
from hypothesis import strategies as st

from malaygpt.tokenizer import SEP_ID, Tokenizer
from malaygpt.traced import Edit, Traced, edit, moved


@st.composite
def edits(draw) -> tuple[str, list[Edit]]:
    """A text and edits of it, in order"""
    text = draw(st.text(max_size=20))
    places = sorted(draw(st.sets(st.integers(0, len(text)), max_size=8)))
    pairs = zip(places[::2], places[1::2], strict=False)
    return text, [Edit(start, stop, draw(st.text(max_size=4))) for start, stop in pairs]


def test_an_edit_puts_its_text_where_other_text_stood():
    assert edit("Lihat {1} dan {2}", [Edit(6, 9, "a.com"), Edit(14, 17, "")]) == "Lihat a.com dan "
    assert edit("", []) == ""


@given(edits())
def test_what_is_not_edited_keeps_its_origin_and_what_is_comes_from_all_that_stood_there(case):
    text, made = case
    traced = Traced.unedited(text).edited(made)
    assert traced.text == edit(text, made)
    kept = [place for place in range(len(text)) if not any(each.start <= place < each.stop for each in made)]
    assert {(text[place], (place, place + 1)) for place in kept} <= {*zip(traced.text, traced.origins, strict=True)}
    new = [(each.start, each.stop) for each in made for _ in each.text]
    assert sorted(traced.origins) == sorted([*((place, place + 1) for place in kept), *new])


@given(edits())
def test_a_place_moves_with_what_stands_there(case):
    text, made = case
    after = edit(text, made)
    for place, character in enumerate(text):
        if not any(each.start <= place < each.stop for each in made):
            assert after[moved(place, made)] == character


def test_spans_say_what_became_of_each_origin():
    traced = Traced("abc", ((0, 2), (1, 2), (4, 5)))
    assert traced.spans(5) == [(0, 1), (0, 2), None, None, (2, 3)]
    assert traced.origin((0, 2)) == (0, 2)


@given(st.lists(st.binary(max_size=3) | st.sampled_from(["👍".encode()[:2], "👍".encode()[2:], b"\xed\xa0\x80"])))
def test_bytes_become_the_characters_that_python_makes_of_them(pieces: list[bytes]):
    traced = Traced.from_pieces(pieces)
    assert traced.text == b"".join(pieces).decode(errors="replace")
    assert len(traced.origins) == len(traced.text)


@given(st.text(), st.integers(1, 3))
def test_pieces_that_split_a_character_share_it(text: str, size: int):
    data = text.encode(errors="replace")
    pieces = [data[i : i + size] for i in range(0, len(data), size)]
    traced = Traced.from_pieces(pieces)
    for character, (first, stop) in zip(traced.text, traced.origins, strict=True):
        assert character.encode() in b"".join(pieces[first:stop])
        assert all(pieces[first:stop]) and stop - first <= len(character.encode())


@given(st.lists(st.integers(SEP_ID + 1, 319), max_size=30))
def test_the_bytes_of_tokens_are_what_they_say(tokenizer: Tokenizer, ids: list[int]):
    assert Traced.from_pieces(tokenizer.bytes_of(ids)).text == tokenizer.decode(ids)
