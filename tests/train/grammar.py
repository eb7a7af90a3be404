"""A corpus of our own: a few hundred true English-Malay sentence pairs from a small grammar.

Small enough that a tiny Transformer learns it in seconds, real enough that what it learns is translation.
"""

from itertools import product

SUBJECTS = {"I": "Saya", "We": "Kami", "They": "Mereka", "My mother": "Ibu saya", "The teacher": "Guru itu"}
VERBS = {"will buy": "akan membeli", "want": "mahu", "did not see": "tidak nampak", "like": "suka", "sold": "menjual"}
OBJECTS = {
    "the fish": "ikan itu",
    "a new house": "sebuah rumah baharu",
    "two books": "dua buah buku",
    "fried rice": "nasi goreng",
}
TIMES = {"yesterday": "semalam", "in the morning": "pada waktu pagi", "at school": "di sekolah", "in 2024": "pada 2024"}


def pairs() -> list[tuple[str, str]]:
    """Every sentence of the grammar, English and Malay"""
    phrases = product(SUBJECTS.items(), VERBS.items(), OBJECTS.items(), TIMES.items())
    return [tuple(" ".join(words) + "." for words in zip(*phrase, strict=True)) for phrase in phrases]
