import json

from train.peers import FIGURES, METRICS, MISSING, peers_on, peers_table

OURS = {"bleu": 28.73, "chrf": 57.69, "chrf++": 55.4}


def test_every_published_figure_has_its_test_set_and_source():
    records = json.loads(FIGURES.read_text())
    assert {record["test_set"] for record in records} == {"flores200-dev", "flores200-devtest"}
    for record in records:
        assert record["source"]
        assert record["parameters"]
        assert all(record[metric] is None or 0 < record[metric] < 100 for metric in METRICS)


def test_ours_stands_among_the_published_in_the_order_of_bleu():
    rows = [row.strip("| ").split(" | ") for row in peers_table("flores200-devtest", OURS, 14_950_000).splitlines()]
    systems = [row[0] for row in rows[2:]]
    assert len(systems) == 1 + len(peers_on("flores200-devtest"))
    place = systems.index("**this checkpoint**")
    assert systems[place - 1] == "M2M100 418M"
    assert systems[place + 1] == "OPUS-MT Tatoeba sal-sal"
    assert rows[2 + place] == ["**this checkpoint**", "14.9 M", "28.7", "57.7", "55.4", "measured here"]
    assert all(len(row) == len(rows[0]) for row in rows)


def test_a_row_says_which_metric_is_missing():
    rows = {peer.system: peer.row for peer in [*peers_on("flores200-devtest"), *peers_on("flores200-dev")]}
    assert rows["OPUS-MT en-ms 2019"][2:5] == ("20.6", "50.7", MISSING)
    assert rows["mesolitica T5 super-tiny"][2:5] == ("39.2", MISSING, "64.0")
    assert rows["malaygpt of the tutorial"][2:5] == (MISSING,) * 3


def test_a_set_without_published_figures_has_no_table():
    assert peers_table("mine", OURS, 1) is None
