import json

import pytest
import sacrebleu

from train import evaluate
from train.corpus import Pair
from train.evaluate import has_loop, is_copy, score
from train.state import checkpoints

PAIRS = [Pair("t", "I eat rice.", "Saya makan nasi."), Pair("t", "The cat sleeps.", "Kucing itu tidur.")]


def test_perfect_translations_score_a_hundred():
    scores = score([pair.malay for pair in PAIRS], PAIRS, loss=0.5)
    assert [metric["score"] for metric in scores.metrics.values()] == [100, 100, 100]
    assert (scores.empty, scores.loops, scores.copies) == (0, 0, 0)


def test_figures_are_sacrebleus_and_carry_their_signatures():
    translations = ["Saya makan ikan.", "Kucing tidur."]
    scores = score(translations, PAIRS, loss=0.5)
    references = [[pair.malay for pair in PAIRS]]
    assert scores.metrics["bleu"]["score"] == round(sacrebleu.corpus_bleu(translations, references).score, 2)
    assert scores.metrics["chrf"]["score"] == round(sacrebleu.corpus_chrf(translations, references).score, 2)
    chrf_with_words = sacrebleu.corpus_chrf(translations, references, word_order=2).score
    assert scores.metrics["chrf++"]["score"] == round(chrf_with_words, 2)
    assert "nw:2" in scores.metrics["chrf++"]["signature"]
    assert all(sacrebleu.__version__ in metric["signature"] for metric in scores.metrics.values())


@pytest.mark.parametrize(
    "text", ["tidak tidak tidak tidak", "dan juga, dan juga, dan juga, dan juga", "x a b c d a b c d a b c d a b c d y"]
)
def test_loops_are_found(text):
    assert has_loop(text)


@pytest.mark.parametrize("text", ["", "hari-hari kanak-kanak bermain", "satu dua tiga empat lima", "1.1.1", "ha ha ha"])
def test_reduplication_and_lists_are_no_loops(text):
    assert not has_loop(text)


def test_english_given_back_is_a_copy_unless_the_reference_is_too():
    english = "The red car stopped here"
    assert is_copy(english, Pair("t", english, "Kereta merah itu berhenti di sini"))
    assert not is_copy("Kereta merah itu berhenti di sini", Pair("t", english, "Kereta merah itu berhenti di sini"))
    assert not is_copy(
        "Microsoft Visual Studio Code", Pair("t", "Microsoft Visual Studio Code", "Microsoft Visual Studio Code")
    )


def test_empty_output_is_counted():
    assert score(["", "..."], PAIRS, loss=0.5).empty == 2


def test_a_checkpoint_that_learnt_the_grammar_scores_high(data, trained, tmp_path, capsys):
    checkpoint = checkpoints(trained)[-1]
    table = tmp_path / "out.tsv"
    command = [str(checkpoint), str(data / "eval.tsv"), "--write", "--translations", str(table)]
    assert evaluate.main(command) == 0
    scores = json.loads((checkpoint / "scores.json").read_text())["eval"]
    assert scores["metrics"]["chrf"]["score"] > 85
    assert 0 < scores["loss"] < 1
    assert scores["command"] == f"python -m train.evaluate {checkpoint.name} eval.tsv"
    rows = [line.split("\t") for line in table.read_text().splitlines()]
    assert len(rows) == scores["sentences"] == 40
    assert sum(malay == ours for _, malay, ours in rows) > 30
    assert "chrf" in capsys.readouterr().out


def test_a_test_set_that_is_none_is_refused_in_one_line(trained, tmp_path, capsys):
    bad = tmp_path / "bad.tsv"
    bad.write_text("only English\n")
    for file in (bad, tmp_path / "missing.tsv"):
        assert evaluate.main([str(checkpoints(trained)[-1]), str(file)]) == 2
        error = capsys.readouterr().err.strip()
        assert str(file) in error
        assert "\n" not in error
