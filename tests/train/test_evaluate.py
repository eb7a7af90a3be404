import json
import re
from dataclasses import asdict
from pathlib import Path

import pytest
import sacrebleu
import torch

from malaygpt.checkpoint import save_checkpoint
from malaygpt.hub import EMBEDDED
from malaygpt.model import ModelConfig, build_model
from malaygpt.tokenizer import Tokenizer
from malaygpt.translator import Translator
from tests.train import grammar
from train import evaluate
from train.corpus import Pair, excluded_fingerprints, fingerprint, read_test_set
from train.evaluate import Candidate, Scores, has_loop, is_copy, length_range, read_pairs, score
from train.packed import PackedPairs
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


def column(output: str, header: str) -> dict[str, list[str]]:
    """The table that begins with this header in what was printed: first cell of each row to the others"""
    lines = output.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(f"| {header} |"))
    rows = {}
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        first, *others = line.strip("| ").split(" | ")
        rows[first] = others
    return rows


@pytest.fixture(scope="module")
def untrained(packed, tmp_path_factory) -> Path:
    """A checkpoint of the grammar's tokenizer that has learnt nothing"""
    directory = tmp_path_factory.mktemp("untrained")
    tokenizer = Tokenizer.load(packed / "tokenizer.json")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = build_model(ModelConfig.preset("tiny", vocab_size=tokenizer.vocab_size))
    save_checkpoint(directory, model.config, model.state_dict(), tokenizer, torch.float32)
    return directory


@pytest.fixture
def sourced(tmp_path) -> Path:
    """A test set with sources in a third column: 6 pairs of "home", 3 of "street" and 1 of no name"""
    names = ["home"] * 6 + ["street"] * 3 + [""]
    rows = [(*pair, name) for pair, name in zip(grammar.pairs()[::40], names, strict=True)]
    file = tmp_path / "sourced.tsv"
    file.write_text("".join("\t".join(row) + "\n" for row in rows))
    return file


def test_each_length_is_scored_by_itself_and_no_sentence_is_lost():
    english = [" ".join(["word"] * n) for n in (1, 9, 10, 39, 40, 400)]
    assert [length_range(text) for text in english] == ["0-9", "0-9", "10-19", "30-39", "40+", "40+"]
    pairs = [Pair("t", text, f"Ayat yang ke {i} itu panjang sekali") for i, text in enumerate(english)]
    translations = [pair.malay for pair in pairs[:2]] + ["salah"] * 4
    scores = score(translations, pairs, loss=0.5)
    assert list(scores.by_length) == ["0-9", "10-19", "30-39", "40+"]
    assert scores.by_length["0-9"] == {"sentences": 2, "bleu": 100, "chrf": 100}
    last = sacrebleu.corpus_chrf(translations[4:], [[pair.malay for pair in pairs[4:]]]).score
    assert scores.by_length["40+"]["chrf"] == round(last, 2)
    assert sum(part["sentences"] for part in scores.by_length.values()) == scores.sentences


def test_each_source_is_scored_by_itself_the_largest_first():
    pairs = [Pair("few", "a b", "Saya makan nasi goreng"), *[Pair("many", "a b", "Kucing itu sudah tidur")] * 2]
    scores = score(["Saya makan nasi goreng", "salah", "salah"], pairs, loss=0.5)
    assert list(scores.by_source) == ["many", "few"]
    assert scores.by_source["few"] == {"sentences": 1, "bleu": 100, "chrf": 100}
    assert scores.by_source["many"]["chrf"] < 20
    assert score(["x"] * 2, PAIRS, loss=0.5).by_source == {}


def test_a_third_column_names_the_source_and_such_a_set_can_be_kept_out_of_training(sourced):
    pairs = read_test_set(sourced)
    assert [pair.source for pair in pairs] == ["home"] * 6 + ["street"] * 3 + ["sourced"]
    assert fingerprint(pairs[0].english) in excluded_fingerprints([sourced])
    assert "home" not in excluded_fingerprints([sourced])


def test_tables_and_signatures_are_printed_and_kept(trained, data, sourced, tmp_path, capsys):
    checkpoint = checkpoints(trained)[-1]
    assert evaluate.main([str(checkpoint), str(sourced), str(data / "eval.tsv"), "--write"]) == 0
    output = capsys.readouterr().out
    kept = json.loads((checkpoint / "scores.json").read_text())
    sources = {
        name: (str(part["sentences"]), f"{part['chrf']:.1f}") for name, part in kept["sourced"]["by_source"].items()
    }
    assert {name: (row[0], row[2]) for name, row in column(output, "source").items()} == sources
    assert {name: part[0] for name, part in sources.items()} == {"home": "6", "street": "3", "sourced": "1"}
    assert column(output, "English words")["0-9"][0] == str(kept["sourced"]["by_length"]["0-9"]["sentences"])
    sets = column(output, "test set")
    assert sets.keys() == {"sourced", "eval"}
    assert sets["eval"] == [*(f"{m['score']:.1f}" for m in kept["eval"]["metrics"].values()), "40"]
    assert kept["eval"]["by_source"] == {}
    assert all(metric["signature"] in output for metric in kept["eval"]["metrics"].values())


def test_the_pairs_held_out_of_a_packed_corpus_are_scored_by_source(trained, packed, capsys):
    checkpoint = checkpoints(trained)[-1]
    assert evaluate.main([str(checkpoint), str(packed), "--write"]) == 0
    scores = json.loads((checkpoint / "scores.json").read_text())["validation"]
    assert scores["command"].endswith("RUN/packed")
    assert scores["by_source"].keys() == {"morning", "evening"} == column(capsys.readouterr().out, "source").keys()
    assert scores["sentences"] == len(PackedPairs(packed / "validation"))
    true = {malay: english for english, malay in grammar.pairs()}
    assert all(true[pair.malay] == pair.english for pair in read_pairs(packed))


def test_a_directory_that_was_not_packed_is_refused_in_one_line(trained, tmp_path, capsys):
    assert evaluate.main([str(checkpoints(trained)[-1]), str(tmp_path)]) == 2
    assert re.fullmatch(r"train\.evaluate: .*run train\.vocabulary first\.\n", capsys.readouterr().err)


def test_against_itself_a_checkpoint_does_not_differ_and_against_an_untrained_one_it_does(
    trained, untrained, data, capsys
):
    checkpoint, test = str(checkpoints(trained)[-1]), str(data / "eval.tsv")
    assert evaluate.main([checkpoint, test, "--against", checkpoint]) == 0
    for _, _, delta, interval, p_value in column(capsys.readouterr().out, "metric").values():
        assert (delta, interval, p_value) == ("+0.00", "+0.00 to +0.00", "1.000")
    outputs = []
    for _ in range(2):
        assert evaluate.main([checkpoint, test, "--against", str(untrained)]) == 0
        outputs.append(column(capsys.readouterr().out, "metric"))
    assert outputs[0] == outputs[1]
    assert outputs[0].keys() == {"bleu", "chrf", "chrf++"}
    for ours, theirs, delta, interval, p_value in outputs[0].values():
        assert float(delta) == pytest.approx(float(ours) - float(theirs), abs=0.011)
        low, high = map(float, interval.split(" to "))
        assert 0 < low < float(delta) < high
        assert float(p_value) < 0.01


def test_what_is_compared_with_must_be_a_checkpoint(trained, data, tmp_path, capsys):
    command = [str(checkpoints(trained)[-1]), str(data / "eval.tsv"), "--against", str(tmp_path / "none")]
    assert evaluate.main(command) == 2
    assert str(tmp_path / "none") in capsys.readouterr().err


def test_peers_are_printed_when_asked_for_and_the_set_has_them(trained, data, tmp_path, capsys):
    checkpoint = checkpoints(trained)[-1]
    known = tmp_path / "flores200-dev.tsv"
    known.write_text((data / "eval.tsv").read_text())
    assert evaluate.main([str(checkpoint), str(known), str(data / "eval.tsv"), "--peers"]) == 0
    output = capsys.readouterr().out
    peers = column(output, "system")
    assert peers["mesolitica T5 super-tiny"][1:4] == ["39.2", "not published", "64.0"]
    assert peers["**this checkpoint**"][1:4] == column(output, "test set")["flores200-dev"][:3]
    millions = Candidate(checkpoint).num_parameters / 1e6
    assert peers["**this checkpoint**"][0] == f"{millions:.1f} M"
    assert "No published figures are known for eval." in output
    assert evaluate.main([str(checkpoint), str(known)]) == 0
    assert "| system |" not in capsys.readouterr().out


def test_forms_are_scored_as_a_visitor_has_them_and_the_checkpoint_is_read_once(trained, data, monkeypatch):
    checkpoint, pairs = checkpoints(trained)[-1], read_test_set(data / "eval.tsv")[:5]
    read = []
    load = evaluate.load_checkpoint
    monkeypatch.setattr(
        evaluate, "load_checkpoint", lambda *given, **named: read.append(given) or load(*given, **named)
    )
    scores, _ = Candidate(checkpoint).scores(pairs, ("float32", "int8"))
    assert len(read) == 1
    for form in ("float32", "int8"):
        translator = Translator.load(checkpoint, form=form)
        translations = [translator.translate(pair.english) for pair in pairs]
        expected = sacrebleu.corpus_chrf(translations, [[pair.malay for pair in pairs]]).score
        assert scores.forms[form] == round(expected, 2)


def test_two_sets_of_one_name_are_refused(trained, data, tmp_path, capsys):
    (tmp_path / "eval.tsv").write_text((data / "eval.tsv").read_text())
    assert evaluate.main([str(checkpoints(trained)[-1]), str(data / "eval.tsv"), str(tmp_path / "eval.tsv")]) == 2
    assert "same name" in capsys.readouterr().err


def test_scores_written_before_there_were_parts_can_be_read():
    for record in json.loads((EMBEDDED / "scores.json").read_text()).values():
        del record["command"]
        old = {name: value for name, value in record.items() if name not in ("by_length", "by_source")}
        assert asdict(Scores(**old))["metrics"] == record["metrics"]
