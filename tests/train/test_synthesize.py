"""Monolingual Malay goes in, and a model learns from what comes out: every stage here is the real one."""

import gzip
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from malaygpt.checkpoint import load_checkpoint
from malaygpt.decode import SearchOptions
from malaygpt.engine import FlatEngine
from malaygpt.tokenizer import UNK_ID, Tokenizer
from tests.train.conftest import learn
from tests.train.grammar import pairs
from train import corpus, fit, synthesize, vocabulary
from train.packed import PackedPairs, plan_epoch
from train.state import checkpoints
from train.synthesize import Filter, Row, choose

MONO = pairs()[3::5]
"""Of these the models never see a pair, only the Malay."""
KNOWN = [pair for pair in pairs() if pair not in MONO]
EVALUATION = MONO[:4]
LINES_PER_PART = 16
EPOCHS = 40


@pytest.fixture(scope="module")
def texts(tmp_path_factory) -> Path:
    """Real pairs, an evaluation set that has some of the monolingual sentences, and those."""
    directory = tmp_path_factory.mktemp("texts")
    (directory / "pairs").mkdir()
    (directory / "pairs" / "known.tsv").write_text("".join(f"{e}\t{m}\n" for e, m in KNOWN))
    (directory / "eval.tsv").write_text("".join(f"{e}\t{m}\n" for e, m in EVALUATION))
    with gzip.open(directory / "mono.tsv.gz", "wt") as file:
        file.writelines(f"news\t{malay}\n" for _, malay in MONO)
    return directory


def prepare(directory: Path, data: list[Path], texts: Path, *options: str) -> Path:
    """The packed corpus of these data"""
    arguments = [*map(str, data), "--out", str(directory / "corpus"), "--exclude", str(texts / "eval.tsv")]
    assert corpus.main([*arguments, "--num-validation", "1000", *options]) == 0
    assert vocabulary.main([str(directory / "corpus"), "--out", str(directory / "packed"), "--size", "400"]) == 0
    return directory / "packed"


@pytest.fixture(scope="module")
def reverse(texts, tmp_path_factory) -> Path:
    """A checkpoint that has learnt the grammar from Malay to English"""
    directory = tmp_path_factory.mktemp("reverse")
    return checkpoints(learn(prepare(directory, [texts / "pairs"], texts, "--reverse"), directory / "fit", EPOCHS))[-1]


@pytest.fixture(scope="module", autouse=True)
def small_parts():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(synthesize, "LINES_PER_PART", LINES_PER_PART)
        yield


@pytest.fixture(scope="module")
def command(reverse, texts) -> list[str]:
    return [str(reverse), str(texts / "mono.tsv.gz"), "--form", "float32"]


@pytest.fixture(scope="module")
def synthetic(command, tmp_path_factory) -> Path:
    """The synthetic pairs of the monolingual text"""
    out = tmp_path_factory.mktemp("synthetic") / "back.tsv.gz"
    assert synthesize.main([*command, "--out", str(out)]) == 0
    return out


def read(out: Path) -> list[tuple[str, str]]:
    return [tuple(line.split("\t")) for line in gzip.open(out, "rt").read().splitlines()]


def test_a_model_of_swapped_pairs_translates_malay_that_it_never_saw(synthetic):
    made = read(synthetic)
    assert len(made) > 0.8 * len(MONO)
    assert len(set(made) & set(MONO)) > 0.8 * len(made)
    assert {malay for _, malay in made} <= {malay for _, malay in MONO}


def test_forward_translation_keeps_what_was_translated_on_its_own_side(command, synthetic, tmp_path):
    out = tmp_path / "forward.tsv.gz"
    assert synthesize.main([*command, "--out", str(out), "--direction", "forward"]) == 0
    assert read(out) == [(malay, english) for english, malay in read(synthetic)]


def test_beams_and_samples_are_options(command, synthetic, tmp_path):
    every = ["--least-log-prob", "-100", "--min-ratio", "0", "--max-ratio", "100"]
    made = {}
    for name, options in {
        "beams": ["--num-beams", "4"],
        "cold": ["--temperature", "0.01"],
        "hot": ["--temperature", "3"],
        "again": ["--temperature", "3"],
        "other": ["--temperature", "3", "--seed", "2"],
    }.items():
        out = tmp_path / f"{name}.tsv.gz"
        assert synthesize.main([*command, "--out", str(out), *every, *options]) == 0
        made[name] = read(out)
    greedy = set(read(synthetic))
    assert len(greedy & set(made["beams"])) > 0.8 * len(greedy)
    assert greedy <= set(made["cold"])
    assert len(greedy & set(made["hot"])) < 0.5 * len(greedy)
    assert made["hot"] == made["again"] != made["other"]


def rows_of(checkpoint: Path, sentences: list[str], rows_at_once: int = 64, **search) -> list[Row]:
    model, tokenizer = load_checkpoint(checkpoint)
    options = SearchOptions(seed=1, **search)
    job = synthesize.Job("", "", len(sentences), "float32", rows_at_once, min_words=1, search=options)
    backend = synthesize.Backend(FlatEngine(model, "float32"), tokenizer, job)
    return backend.translate(0, [sentence.encode() for sentence in sentences], lambda count: None)


def test_batches_are_sampled_with_draws_of_their_own(reverse):
    rows = rows_of(reverse, [MONO[0][1]] * 8, rows_at_once=1, temperature=3.0, top_k=2)
    assert len({row.translation for row in rows}) > 4


def killed(command: list[str], out: Path, sabotage: str) -> None:
    """Runs the stage in a process that ends itself as kill -9 would, where the sabotage says."""
    code = (
        f"import os, signal, torch; from pathlib import Path; from train import synthesize\n"
        f"torch.set_num_threads(1); synthesize.LINES_PER_PART = {LINES_PER_PART}\n"
        f"def die(): os.kill(os.getpid(), signal.SIGKILL)\n{sabotage}\n"
        f"synthesize.main({[*command, '--out', str(out)]!r})"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=120).returncode == -signal.SIGKILL


HALF_A_PART = """
write = synthesize.write_atomically
def write_or_die(path, text):
    if path.name == "000002.jsonl":
        path.with_name("partial-" + path.name).write_text(text[:100])
        die()
    write(path, text)
synthesize.write_atomically = write_or_die
"""
HALF_THE_PAIRS = """
choose = synthesize.choose
def some(*arguments):
    for number, pair in enumerate(choose(*arguments)):
        if number == 20:
            die()
        yield pair
synthesize.choose = some
"""


def test_killed_it_goes_on_to_the_same_bytes_and_translates_no_part_twice(command, synthetic, tmp_path):
    out = tmp_path / "back.tsv.gz"
    killed(command, out, HALF_A_PART)
    parts = sorted((tmp_path / "back.translations").glob("0*.jsonl"))
    assert [part.name for part in parts] == ["000000.jsonl", "000001.jsonl"]
    for part in parts:
        os.utime(part, (1, 1))
    killed(command, out, HALF_THE_PAIRS)
    assert not out.exists()
    assert synthesize.main([*command, "--out", str(out)]) == 0
    assert out.read_bytes() == synthetic.read_bytes()
    assert all(part.stat().st_mtime == 1 for part in parts)


def test_other_filters_choose_anew_from_the_same_translations(command, synthetic, tmp_path, monkeypatch):
    out = tmp_path / "back.tsv.gz"
    assert synthesize.main([*command, "--out", str(out)]) == 0
    monkeypatch.setattr(synthesize, "search_batch", None)
    assert synthesize.main([*command, "--out", str(out), "--least-log-prob", "-0.0001"]) == 0
    assert 0 <= len(read(out)) < len(read(synthetic))


def test_another_job_does_not_go_on_with_the_same_translations(command, tmp_path, capsys):
    out = tmp_path / "back.tsv.gz"
    assert synthesize.main([*command, "--out", str(out)]) == 0
    before = out.read_bytes()
    for option in (["--num-beams", "2"], ["--min-words", "5"], ["--temperature", "1"]):
        assert synthesize.main([*command, "--out", str(out), *option]) == 2
        assert "delete it to begin again" in capsys.readouterr().err
    assert out.read_bytes() == before


GOOD = Row("Saya akan membeli ikan itu di pasar.", "I will buy the fish at the market.", -0.3, None)


@pytest.mark.parametrize(
    ("fault", "change"),
    {
        "unlikely": {"log_prob": -0.66},
        "lengths differ": {"translation": "I will buy."},
        "copied": {"translation": "Saya akan membeli ikan itu di market."},
        "loop": {"translation": "I will buy fish fish fish fish."},
        "repeated word": {"translation": "I will buy the the fish at the market."},
        "numbers differ": {"translation": "I will buy 20 fish at the market."},
        "without an end": {"fault": "without an end"},
    }.items(),
)
def test_each_filter_alone_drops_a_pair(fault, change):
    faults = Counter()
    assert list(choose([GOOD, GOOD._replace(**change)], Filter(), "back", faults)) == [(GOOD[1], GOOD[0])]
    assert faults == {fault: 1}


def test_filters_look_at_english_over_malay_in_both_directions():
    rules = Filter(min_ratio=0.9, max_ratio=1.8)
    short, long = "satu dua tiga empat", "one two three four five six"
    assert rules.fault(Row(short, long, 0.0, None), "back") is None
    assert rules.fault(Row(long, short, 0.0, None), "forward") is None
    assert rules.fault(Row(short, long, 0.0, None), "forward") == "lengths differ"


def test_a_loop_that_the_sentence_has_too_is_kept():
    assert Filter().fault(Row("ya ya ya ya ya!", "yes yes yes yes yes!", 0.0, None), "back") is None


@pytest.mark.parametrize(
    ("malay", "english"),
    [
        ("Harganya naik 1,500 ringgit.", "The price rose by 1.500 ringgit."),
        ("Dia ada 3 ekor kucing.", "She has three cats."),
        ("Kami tinggal di Walla Walla.", "We live in Walla Walla."),
    ],
)
def test_what_only_looks_like_a_fault_is_kept(malay, english):
    assert Filter().fault(Row(malay, english, -0.3, None), "back") is None


def test_every_line_is_kept_or_counted(reverse, tmp_path, capsys):
    lines = [f"{MONO[0][1]}\n".encode(), b"news\t" + MONO[1][1].encode(), b"\n", b"a\tb\tc\n"]
    lines += [b"broken \xff\n", b"two words\n", b"sangat panjang " * 200 + b"\n"]
    (tmp_path / "mono.tsv").write_bytes(b"".join(line.rstrip(b"\n") + b"\n" for line in lines))
    out = tmp_path / "back.tsv"
    assert synthesize.main([str(reverse), str(tmp_path / "mono.tsv"), "--out", str(out), "--form", "float32"]) == 0
    assert out.read_text() == "".join(f"{english}\t{malay}\n" for english, malay in MONO[:2])
    dropped = capsys.readouterr().out.splitlines()[-1]
    assert dropped == "dropped: too few words 2, more than two columns 1, not UTF-8 1, too long 1"


def test_a_translation_that_does_not_end_is_no_pair(reverse):
    (row,) = rows_of(reverse, [MONO[0][1]], max_length=3)
    assert (row.fault, row.translation) == ("without an end", "")


@pytest.fixture(scope="module")
def mixed(texts, synthetic, tmp_path_factory) -> Path:
    """The run of real and synthetic pairs together, packed"""
    return prepare(tmp_path_factory.mktemp("mixed"), [synthetic.parent, texts / "pairs"], texts)


def test_synthetic_pairs_are_tagged_and_real_ones_are_not(mixed, synthetic):
    packed, tokenizer = PackedPairs(mixed / "train"), Tokenizer.load(mixed / "tokenizer.json")
    assert packed.sources == [{"name": "known", "tier": None}, {"name": "back", "tier": "synthetic"}]
    made = set(read(synthetic))
    for i, number in enumerate(packed.source_ids):
        ids, is_synthetic = packed.src(i).tolist(), packed.sources[number]["name"] == "back"
        assert [place for place, token in enumerate(ids) if token == UNK_ID] == [0] * is_synthetic
        assert UNK_ID not in packed.tgt(i)
        assert ((tokenizer.decode(ids), tokenizer.decode(packed.tgt(i))) in made) == is_synthetic
    assert 40 < (packed.source_ids == 1).sum() <= len(made)


def test_no_synthetic_pair_is_held_out_and_the_held_out_are_the_same_without_them(mixed, texts, tmp_path):
    alone = prepare(tmp_path / "real", [texts / "pairs"], texts).parent / "corpus" / "validation.jsonl"
    assert (mixed.parent / "corpus" / "validation.jsonl").read_text() == alone.read_text()
    assert len(alone.read_text().splitlines()) > 5


def test_synthetic_pairs_meet_the_evaluation_set_and_the_real_pairs(texts, tmp_path):
    english, malay = KNOWN[0]
    folder = tmp_path / "synthetic"
    folder.mkdir()
    (folder / "sources.tsv").write_text("source\ttier\nback\tsynthetic\n")
    rows = [
        ("Something else entirely.", EVALUATION[0][1]),
        ("The same Malay as a real pair.", malay),
        (english, "Bahasa Inggeris yang sama."),
        (english, malay),
        ("A new pair.", "Pasangan yang baharu."),
        ("A new pair!", "Pasangan yang baharu!"),
        ("123 456", "123 456"),
    ]
    (folder / "back.tsv").write_text("".join(f"{e}\t{m}\n" for e, m in rows))
    report = corpus.build([str(folder), str(texts / "pairs")], tmp_path / "out", [texts / "eval.tsv"], 0, 4)
    assert report["dropped"]["back"] == {
        "in an evaluation set": 1,
        "in a real pair": 2,
        "duplicate": 2,
        "few letters": 1,
    }
    assert report["train"] == {"known": len(KNOWN), "back": 1}


def test_an_epoch_takes_as_much_of_the_tier_as_its_weight_says(mixed):
    packed = PackedPairs(mixed / "train")
    for weight, least, most in ((0.0, 0, 0), (0.3, 0.1, 0.5), (2.0, 2, 2)):
        plan = plan_epoch(packed, packed.weights([f"tiersynthetic={weight}"]), 256, seed=1, epoch=0)
        taken = Counter(packed.source_ids[i] for batch in plan for i in batch)
        assert taken[0] == (packed.source_ids == 0).sum()
        assert least <= taken[1] / (packed.source_ids == 1).sum() <= most


def test_training_goes_over_both_by_their_tiers(mixed, tmp_path):
    command = [str(mixed), "--out", str(tmp_path), "--preset", "tiny", "--epochs", "1", "--tokens-per-batch", "512"]
    for weight, name in (("0.3", "little"), ("3", "much")):
        command[2] = str(tmp_path / name)
        assert fit.main([*command, "--weight", f"tiersynthetic={weight}", "--num-samples", "0"]) == 0
    little, much = (int(checkpoints(tmp_path / name)[-1].name.removeprefix("step-")) for name in ("little", "much"))
    assert much > little > 0


def test_reversed_pairs_are_the_same_pairs_with_the_same_split(texts, reverse, tmp_path):
    forward = prepare(tmp_path, [texts / "pairs"], texts).parent / "corpus"
    backward = reverse.parents[2] / "corpus"
    for name in ("train.jsonl", "validation.jsonl"):
        swapped = [(source, b, a) for source, a, b in vocabulary.read_pairs(backward / name)]
        assert swapped == list(vocabulary.read_pairs(forward / name))
    assert json.loads((backward / "report.json").read_text())["reversed"] is True


def test_packing_with_a_ready_made_tokenizer_keeps_it_to_the_byte(mixed, reverse, tmp_path):
    ready_made = tmp_path / "tokenizer.json"
    ready_made.write_bytes((reverse / "tokenizer.json").read_bytes() + b"\n")  # a file that we would not write so
    command = [str(mixed.parent / "corpus"), "--out", str(tmp_path / "packed"), "--tokenizer", str(ready_made)]
    assert vocabulary.main(command) == 0
    assert (tmp_path / "packed" / "tokenizer.json").read_bytes() == ready_made.read_bytes()
    tokenizer, packed = Tokenizer.load(ready_made), PackedPairs(tmp_path / "packed" / "train")
    _, english, _ = next(vocabulary.read_pairs(mixed.parent / "corpus" / "train.jsonl"))
    assert packed.src(0).tolist() == tokenizer.encode(english)


def test_the_file_is_marked_before_it_is_there_and_beside_other_sources(command, tmp_path, capsys):
    table, out = tmp_path / "sources.tsv", tmp_path / "back.tsv.gz"
    table.write_text("source\tpairs\ttier\nnews\t5\t1")
    marked = "source\tpairs\ttier\nnews\t5\t1\nback\t\tsynthetic\n"
    killed(command, out, "synthesize.translate = lambda *arguments: die()")
    assert table.read_text() == marked
    assert synthesize.main([*command, "--out", str(out)]) == 0
    assert table.read_text() == marked
    assert synthesize.main([*command, "--out", str(tmp_path / "news.tsv")]) == 2
    assert "tier 1" in capsys.readouterr().err


def test_what_cannot_be_done_is_refused_in_one_line(command, texts, tmp_path, capsys):
    checkpoint, mono, *_ = command
    (tmp_path / "real.tsv").write_text("real\tbenar\n")
    whole = Path(mono).read_bytes()
    (tmp_path / "cut.tsv.gz").write_bytes(whole[: len(whole) // 2])
    for arguments, told in (
        ([checkpoint, mono, "--out", str(tmp_path / "back.txt")], "must end in .tsv"),
        ([checkpoint, mono, "--out", str(tmp_path / "sources.tsv")], "must end in .tsv"),
        ([checkpoint, mono, "--out", str(tmp_path / "real.tsv")], "was not made here"),
        ([checkpoint, str(tmp_path / "none.tsv"), "--out", str(tmp_path / "a.tsv")], "none.tsv"),
        ([checkpoint, str(tmp_path / "cut.tsv.gz"), "--out", str(tmp_path / "a.tsv")], "is damaged"),
        ([str(tmp_path), mono, "--out", str(tmp_path / "a.tsv")], "lacks"),
        ([checkpoint, mono, "--out", str(tmp_path / "a.tsv"), "--num-beams", "2", "--temperature", "1"], "not both"),
    ):
        assert synthesize.main(arguments) == 2
        error = capsys.readouterr().err.strip()
        assert told in error
        assert "\n" not in error
    assert (tmp_path / "real.tsv").read_text() == "real\tbenar\n"
    assert not (tmp_path / "a.translations").exists()
