"""Questions of the page's views: answered, or refused in words, whoever else asks."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from malaygpt.hub import EMBEDDED
from malaygpt.seeing import Seeing
from malaygpt.translator import Translator
from malaygpt.ui.handlers import QUESTIONS_AT_ONCE, Handlers
from malaygpt.ui.words import BUSY, FAILED

QUESTION = {"kind": "search", "payload": {"text": "Good morning.", "options": {}}}


@pytest.fixture(scope="module")
def handlers() -> Handlers:
    translator = Translator.load(EMBEDDED, device="cpu")
    return Handlers(translator, Seeing(translator))


def test_a_question_is_answered(handlers: Handlers):
    assert handlers.see(QUESTION)["answer"]["english"] == "Good morning."


@pytest.mark.parametrize("question", [{"kind": "search", "payload": {}}, {"kind": "none", "payload": {}}])
def test_a_question_that_cannot_be_is_refused_in_words(handlers: Handlers, question: dict):
    assert set(handlers.see(question)) == {"error"}


def test_what_goes_wrong_here_is_not_told_as_the_visitor_s_fault(handlers: Handlers, caplog: pytest.LogCaptureFixture):
    assert handlers.see({}) == {"error": FAILED}
    assert "could not be answered" in caplog.text


def test_questions_beyond_those_that_may_wait_are_told_at_once_that_the_server_is_busy(handlers: Handlers):
    taken = [handlers.door.acquire(blocking=False) for _ in range(QUESTIONS_AT_ONCE)]
    assert all(taken)
    try:
        assert handlers.see(QUESTION) == {"error": BUSY}
    finally:
        for _ in taken:
            handlers.door.release()
    with ThreadPoolExecutor(QUESTIONS_AT_ONCE) as visitors:  # and afterwards all are answered
        answers = list(visitors.map(handlers.see, [QUESTION] * QUESTIONS_AT_ONCE))
    assert all("answer" in answer for answer in answers)
