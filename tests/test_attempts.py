"""What is asked of the model after each answer, and which of its answers is taken."""

from malaygpt.attempts import MOST_ATTEMPTS, NUM_HYPOTHESES, Attempts, Request

SENTENCE = "Write 42 letters to me@example.com"


def one_piece(word: str) -> int:
    return 1


def after(attempt: Attempts, *answers: str) -> Attempts:
    """`answers` with the stand-in of the first hidden span for *"""
    stand_in = attempt.protected.hidden[0].stand_in
    return attempt.after([answer.replace("*", stand_in) for answer in answers], one_piece)


def test_a_faultless_answer_is_the_end():
    done = after(Attempts.begin(SENTENCE), "Tulis 42 surat kepada *")
    assert done.request is None
    assert done.best == "Tulis 42 surat kepada me@example.com"


def test_what_was_lost_is_hidden_and_several_hypotheses_are_asked_for():
    second = after(Attempts.begin(SENTENCE), "Tulis 4 surat kepada *")
    assert [item.span for item in second.protected.hidden] == ["42", "me@example.com"]
    assert second.request == Request(second.protected.text, "", NUM_HYPOTHESES)


def test_a_stand_in_that_was_lost_gives_way_to_another():
    first = Attempts.begin(SENTENCE)
    second = after(first, "Tulis 42 surat")
    assert second.best is None
    assert second.protected.hidden[0].stand_in != first.protected.hidden[0].stand_in


def test_a_loop_is_gone_on_with_from_where_it_began():
    second = after(Attempts.begin(SENTENCE), "Tulis 42 surat kepada" + " kepada" * 10)
    assert second.request.prefix in ("Tulis 42 surat", "Tulis 42 surat kepada")
    assert not second.request.may_repeat
    assert second.protected == Attempts.begin(SENTENCE).protected


def test_a_request_that_cannot_be_met_is_made_in_another_way():
    second = after(Attempts.begin(SENTENCE), "Tulis 42 surat kepada" + " kepada" * 10)
    third = second.after([], one_piece)
    assert third.request.prefix == "" and not third.request.may_repeat


def test_a_loop_that_comes_again_is_cut():
    attempt = Attempts.begin("I like to eat")
    while attempt.request is not None:
        attempt = attempt.after(["Saya suka" + " makan" * 20], one_piece)
    assert attempt.best == "Saya suka makan"


def test_the_answer_with_the_fewest_faults_is_taken_whenever_it_came():
    attempt = after(Attempts.begin(SENTENCE), "Tulis 4 surat kepada *")
    answer = " ".join(item.stand_in for item in attempt.protected.hidden)
    while attempt.request is not None:
        attempt = attempt.after([f"{answer} 1 2 3 4 5 6"], one_piece)
    assert attempt.best == "Tulis 4 surat kepada me@example.com"


def test_attempts_end_whatever_the_model_says():
    for answer in ("", "x", "x " * 50, "\ufffd", "1 2 3"):
        attempt, number = Attempts.begin(SENTENCE), 0
        while attempt.request is not None:
            attempt, number = attempt.after([answer], one_piece), number + 1
        assert attempt.best is None
        assert number <= MOST_ATTEMPTS


def test_the_same_is_not_asked_twice():
    attempt, asked = Attempts.begin("I like rice"), []
    while attempt.request is not None:
        asked.append(attempt.request)
        attempt = attempt.after(["Saya suka nasi \ufffd"], one_piece)
    assert len(set(asked)) == len(asked) == 2
    assert attempt.best == "Saya suka nasi \ufffd"


def test_a_sentence_without_anything_hidden_always_has_a_translation():
    attempt = Attempts.begin_unprotected(SENTENCE).after(["Tulis"], one_piece)
    assert attempt.best == "Tulis"
    assert attempt.request is not None


def test_without_guards_the_first_answer_is_taken():
    attempt = Attempts.begin_unguarded(SENTENCE)
    assert attempt.request.text == SENTENCE
    done = attempt.after(["x " * 50], one_piece)
    assert (done.best, done.request) == ("x " * 50, None)
