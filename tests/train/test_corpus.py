import gzip
import json
from collections import Counter

from tests.train.grammar import pairs
from train import corpus
from train.corpus import CleaningRules, Pair, clean, fingerprint, read_tsv, split, usable_pairs


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


def test_training_and_validation_share_no_sentence_of_either_language(packed):
    corpus_directory = packed.parent / "corpus"
    train = {fingerprint(side) for _, *sides in read(corpus_directory / "train.jsonl") for side in sides}
    validation = {fingerprint(side) for _, *sides in read(corpus_directory / "validation.jsonl") for side in sides}
    assert 20 < len(validation) < 120
    assert not train & validation


def test_what_would_stand_in_training_and_validation_is_counted():
    held_out = Pair("a", "She will buy the fish", "Dia akan membeli ikan itu")
    others = [
        Pair("a", "He will buy the fish", "Dia akan membeli ikan itu!"),  # the same Malay
        Pair("a", "she WILL buy the fish", "Beliau akan membeli ikan"),  # the same English
        Pair("b", "fish", "ikan"),
    ]
    faults = Counter()
    train, validation = split([held_out, *others], 10**9, 5, faults)
    assert held_out in validation
    assert train == [others[-1]]
    train, validation = split([held_out, *others], 0, 5, Counter())
    assert (len(train), validation) == (4, [])


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
        "This is a subtitle.\tini sari kata.",
    ]
    raw = "\n".join(lines).encode() + b"\nbroken \xff bytes\tbait rosak\n"
    folder = tmp_path / "pairs"
    folder.mkdir()
    with gzip.open(folder / "odd.tsv.gz", "wb") as file:
        file.write(raw)
    report = corpus.build([str(folder)], tmp_path / "out", [], num_validation=0, min_words=4)
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
        "case differs": 1,
        "not UTF-8": 1,
    }
    assert len(kept) + sum(report["dropped"]["odd"].values()) == len(lines) + 1


def test_a_truncated_or_damaged_gzip_is_reported_and_stops_nothing(tmp_path):
    folder = tmp_path / "pairs"
    folder.mkdir()
    with gzip.open(folder / "cut.tsv.gz", "wt") as file:
        file.writelines(f"{english}\t{malay}\n" for english, malay in pairs())
    whole = (folder / "cut.tsv.gz").read_bytes()
    middle = len(whole) // 2
    for damaged in (whole[: len(whole) * 3 // 4], whole[:middle] + bytes(200) + whole[middle + 200 :]):
        (folder / "cut.tsv.gz").write_bytes(damaged)
        report = corpus.build([str(folder)], tmp_path / "out", [], num_validation=0, min_words=4)
        assert report["train"].get("cut", 0) < len(pairs())
        assert any("damaged" in fault for fault in report["dropped"]["cut"])


def test_a_small_corpus_is_not_all_held_out(data, tmp_path):
    report = corpus.build([str(data / "pairs")], tmp_path / "out", [], num_validation=2000, min_words=4)
    assert 0 < sum(report["validation"].values()) < sum(report["train"].values()) / 4


def test_quotes_are_literal():
    rows = list(read_tsv("a", [b'"He said\t"Dia kata\n', b'she left"\tdia pergi"\n'], Counter()))
    assert [row.english for row in rows] == ['"He said', 'she left"']


def test_cleaning_makes_text_composed_and_printable():
    assert clean("  Cafe\u0301\u00a0 \x07 bar\t") == "Caf\u00e9 bar"


def test_short_pairs_may_differ_in_length():
    assert CleaningRules().fault(Pair("a", "no", "tidak mahu")) is None


def test_labels_and_sentences_that_begin_with_a_number_may_differ_in_case():
    assert CleaningRules().fault(Pair("a", "Open file", "buka fail")) is None
    assert CleaningRules().fault(Pair("a", "30 Egyptians are still stranded", "30 rakyat Mesir terkandas")) is None


def test_a_directory_without_pairs_is_refused_in_one_line(tmp_path, capsys):
    assert corpus.main([str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err.strip()
    assert str(tmp_path) in error
    assert "\n" not in error


def test_data_may_be_several_directories_and_files(data, tmp_path):
    whole = corpus.build([str(data / "pairs")], tmp_path / "whole", [], num_validation=0, min_words=4)
    files = [str(data / "pairs" / name) for name in ("evening.tsv", "morning.tsv.gz")]
    report = corpus.build(files, tmp_path / "files", [], num_validation=0, min_words=4)
    assert report["tiers"] == whole["tiers"] == {"evening": "2", "morning": "1"}
    assert (tmp_path / "files" / "train.jsonl").read_text() == (tmp_path / "whole" / "train.jsonl").read_text()


def test_one_name_in_two_tiers_is_refused(data, tmp_path, capsys):
    (tmp_path / "evening.tsv").write_text("Good evening.\tSelamat petang.\n")
    command = [str(data / "pairs"), str(tmp_path), "--out", str(tmp_path / "out")]
    assert corpus.main(command) == 2
    assert "called evening; rename" in capsys.readouterr().err
    (tmp_path / "sources.tsv").write_text("source\ttier\nevening\t2\n")
    assert corpus.main(command) == 0


def test_a_file_that_is_not_there_is_not_looked_for_on_the_hub(tmp_path, capsys):
    assert corpus.main([str(tmp_path / "none.tsv.gz"), "--out", str(tmp_path / "out")]) == 2
    assert "There is no file" in capsys.readouterr().err


def test_an_evaluation_set_that_cannot_be_read_is_refused_before_any_work(tmp_path, capsys):
    command = [str(tmp_path), "--out", str(tmp_path / "out"), "--exclude"]
    assert corpus.main([*command, str(tmp_path / "none.tsv")]) == 2
    assert "none.tsv" in capsys.readouterr().err
    (tmp_path / "bad.tsv").write_text("four\tcolumns\tstand\there\n")
    assert corpus.main([*command, str(tmp_path / "bad.tsv")]) == 2
    assert "not two columns 1" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
