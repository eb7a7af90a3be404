"""What every engine translates: sources of one length, cut from an English text, to targets of one length."""

from dataclasses import dataclass

from malaygpt.tokenizer import Tokenizer

SOURCE_LENGTH, TARGET_LENGTH = 20, 32
"""Tokens, the source's [SEP] included; a target has none, because it is cut short."""
COMPARED_LENGTH = 16
"""Tokens of a target that are compared between engines: all that come before a translation would have ended"""
NUM_SOURCES = 64

TEXT = """
The ferry leaves the island at six in the morning, and whoever misses it has to wait until the following afternoon.
My grandmother planted three mango trees behind the house, but only one of them has ever carried any fruit.
Please write your name and telephone number on the form before you hand it to the lady at the second counter.
The museum is closed on Mondays, although the garden with its old cannons stays open until seven every evening.
When the river rose, the teachers carried all of the library's books to the upper floor and saved almost everything.
He repairs bicycles in a small shop next to the post office and never charges more than the parts have cost him.
The committee will meet again in two weeks to decide whether the bridge can be widened without closing the road.
If you add the coconut milk too early, the sauce will separate, so wait until the fish is nearly done.
Nobody expected the youngest player to win, yet she stayed calm and answered every attack with great patience.
The doctor told him to rest for ten days, drink plenty of water, and come back if the fever had not gone down.
Our neighbours have lived abroad for many years, but they still return each December to visit their parents.
A new railway line between the two cities would shorten the journey by forty minutes, according to the engineers.
The company promised to replace the broken machine within a month, and so far it has kept neither date nor price.
Farmers in the valley are worried because the rain came late this year and the wells are lower than ever before.
She opened the letter slowly, read it twice without a word, and then asked me to call her brother at once.
Scientists have counted more than two hundred kinds of birds in the swamp, some of which are found nowhere else.
"""


@dataclass(frozen=True, order=True)
class Case:
    """What is timed: so many sentences at once, with a beam of this width (1 is greedy)"""

    batch: int
    beams: int

    def __str__(self) -> str:
        return f"batch {self.batch}, {'greedy' if self.beams == 1 else f'beam {self.beams}'}"


def sources(tokenizer: Tokenizer) -> list[list[int]]:
    """NUM_SOURCES pieces of the text, each SOURCE_LENGTH - 1 token ids to which an engine adds [SEP]; they overlap."""
    ids = tokenizer.encode(" ".join(TEXT.split()))
    length = SOURCE_LENGTH - 1
    starts = [i * (len(ids) - length) // (NUM_SOURCES - 1) for i in range(NUM_SOURCES)]
    return [ids[start : start + length] for start in starts]
