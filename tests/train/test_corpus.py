import gzip
import json
from collections import Counter

import pytest

from tests.train.grammar import pairs
from train import corpus
from train.corpus import CleaningRules, Pair, clean, fingerprint, read_tsv, usable_pairs


def read(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_no_pair_of_the_evaluation_set_is_kept_on_either_side(data, packed):
    evaluation = [line.split("\t") for line in (data / "eval.tsv").read_text().splitlines()]
    corpus_directory = packed.parent / "corpus"
    kept = read(corpus_directory / "train.jsonl") + read(corpus_directory / "validation.jsonl")
    assert len(kept) > 300
    english = {fingerprint(e) for _, e, _ in kept}
    malay = {fingerprint(m) for _, _, m in kept}
    assert not english & {fingerprint(e) for e, _ in evaluation}
    assert not malay & {fingerprint(m) for _, m in evaluation}


def test_exclusion_sees_through_case_spacing_and_punctuation():
    faults = Counter()
    found = list(usable_pairs([Pair("a", "THE fish , swims", "Lain")], {fingerprint("The fish swims!")}, faults))
    assert not found
    assert faults == {("a", "in an evaluation set"): 1}


def test_exclusion_looks_at_the_malay_too():
    faults = Counter()
    assert not list(usable_pairs([Pair("a", "Other", "Ikan itu.")], {fingerprint("ikan itu")}, faults))


def test_training_and_validation_share_no_english(packed):
    corpus_directory = packed.parent / "corpus"
    train = {fingerprint(e) for _, e, _ in read(corpus_directory / "train.jsonl")}
    validation = {fingerprint(e) for _, e, _ in read(corpus_directory / "validation.jsonl")}
    assert 10 < len(validation) < 60
    assert not train & validation


def test_every_pair_is_kept_or_counted(tmp_path):
    lines = [
        "Good morning.\tSelamat pagi.",
        "only one column",
        "three\tcolumns\there",
        '"A stray quote\tSatu petikan sesat.',
        "Good  morning .\tSelamat pagi!",  # a duplicate but for spacing
        "\tTiada Inggeris.",
        "12345 67890\t12345 67890",
        "x" * 700 + "\t" + "y" * 700,
        "A rather long English sentence, all of it unmatched.\tPendek.",
        "This line was never translated\tThis line was never translated",
    ]
    raw = "\n".join(lines).encode() + b"\nbroken \xff bytes\tbait rosak\n"
    folder = tmp_path / "pairs"
    folder.mkdir()
    with gzip.open(folder / "odd.tsv.gz", "wb") as file:
        file.write(raw)
    report = corpus.build(str(folder), tmp_path / "out", [], num_validation=0, min_words=4)
    kept = [pair[1] for pair in read(tmp_path / "out" / "train.jsonl")]
    assert kept == ["Good morning.", '"A stray quote']
    assert report["dropped"]["odd"] == {
        "not two columns": 2,
        "duplicate": 1,
        "empty side": 1,
        "few letters": 1,
        "too long": 1,
        "lengths differ": 1,
        "untranslated": 1,
        "not UTF-8": 1,
    }
    assert len(kept) + sum(report["dropped"]["odd"].values()) == len(lines) + 1


def test_a_truncated_gzip_yields_what_came_before_and_is_reported(tmp_path):
    folder = tmp_path / "pairs"
    folder.mkdir()
    with gzip.open(folder / "cut.tsv.gz", "wt") as file:
        file.writelines(f"{english}\t{malay}\n" for english, malay in pairs())
    whole = (folder / "cut.tsv.gz").read_bytes()
    (folder / "cut.tsv.gz").write_bytes(whole[: len(whole) * 3 // 4])
    report = corpus.build(str(folder), tmp_path / "out", [], num_validation=0, min_words=4)
    assert 0 < report["train"]["cut"] < len(pairs())
    assert any("damaged" in fault for fault in report["dropped"]["cut"])


def test_quotes_are_literal():
    rows = list(read_tsv("a", [b'"He said\t"Dia kata\n', b'she left"\tdia pergi"\n'], Counter()))
    assert [row.english for row in rows] == ['"He said', 'she left"']


def test_cleaning_makes_text_composed_and_printable():
    assert clean("  Cafe\u0301\u00a0 \x07 bar\t") == "Caf\u00e9 bar"


def test_short_pairs_may_differ_in_length():
    assert CleaningRules().fault(Pair("a", "no", "tidak mahu")) is None


def test_a_directory_without_pairs_is_refused_in_one_line(tmp_path, capsys):
    assert corpus.main([str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err.strip()
    assert str(tmp_path) in error
    assert "\n" not in error


def test_a_missing_evaluation_set_is_refused_before_any_work(tmp_path):
    with pytest.raises(SystemExit):
        corpus.main([str(tmp_path), "--out", str(tmp_path / "out"), "--exclude", str(tmp_path / "none.tsv")])
    assert not (tmp_path / "out").exists()
