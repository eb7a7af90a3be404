"""One byte-level BPE for both languages, so that names and numbers look the same on either side and can be copied.

Bytes are the alphabet: every text of any script can be encoded and comes back unchanged, and [UNK] never happens.
Digits stand alone, so that "24,259" is copied a digit at a time and not guessed as a rare piece.
"""

from collections.abc import Iterable
from pathlib import Path

from tokenizers import Tokenizer as HFTokenizer
from tokenizers import decoders, models, pre_tokenizers, trainers

PAD, UNK, CLS, SEP = "[PAD]", "[UNK]", "[CLS]", "[SEP]"
SPECIAL_TOKENS = (PAD, UNK, CLS, SEP)
PAD_ID, UNK_ID, CLS_ID, SEP_ID = range(4)

# Byte-level BPE writes a byte that is printable in Latin-1 as that character, and the others from U+0100 on (GPT-2).
_PRINTABLE = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
_BYTES = [*_PRINTABLE, *sorted({*range(256)} - {*_PRINTABLE})]
_BYTE_OF = {chr(byte if i < len(_PRINTABLE) else 256 + i - len(_PRINTABLE)): byte for i, byte in enumerate(_BYTES)}


class Tokenizer:
    """Text to token ids and back, without special tokens: callers put [CLS] and [SEP] where they belong."""

    def __init__(self, backend: HFTokenizer) -> None:
        """Raises ValueError when the special tokens are not where the model expects them."""
        for expected, token in enumerate(SPECIAL_TOKENS):
            if backend.token_to_id(token) != expected:
                raise ValueError(
                    f"The tokenizer has {token} at {backend.token_to_id(token)}, not at {expected}: "
                    "it is not a malaygpt tokenizer."
                )
        # A visitor who types "[SEP]" means those five characters.
        backend.encode_special_tokens = True
        self._backend = backend

    @classmethod
    def train(cls, lines: Iterable[str], vocab_size: int, min_frequency: int = 2) -> "Tokenizer":
        """Learns byte-pair merges (Sennrich et al., 2016) from lines of both languages."""
        backend = HFTokenizer(models.BPE(unk_token=UNK))
        backend.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
        )
        backend.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=vocab_size,
            min_frequency=min_frequency,
            special_tokens=list(SPECIAL_TOKENS),
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        backend.train_from_iterator(lines, trainer)
        return cls(backend)

    @classmethod
    def load(cls, path: str | Path) -> "Tokenizer":
        """Reads a tokenizer.json. Raises FileNotFoundError or ValueError, each saying what is wrong with the file."""
        if not Path(path).is_file():
            raise FileNotFoundError(f"There is no tokenizer at {path}.")
        try:
            backend = HFTokenizer.from_file(str(path))
        except Exception as error:  # the library raises bare Exception for anything it cannot read
            raise ValueError(f"{path} is not a tokenizer.json: {error}") from error
        try:
            return cls(backend)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error

    def save(self, path: str | Path) -> None:
        self._backend.save(str(path))

    @property
    def vocab_size(self) -> int:
        return self._backend.get_vocab_size()

    def encode(self, text: str) -> list[int]:
        """Token ids of the text. Never a special token, whatever the text says."""
        return self._backend.encode(text, add_special_tokens=False).ids

    def encode_batch(self, texts: list[str]) -> list[list[int]]:
        """`encode` for many texts, on all cores."""
        return [encoding.ids for encoding in self._backend.encode_batch_fast(texts, add_special_tokens=False)]

    def decode(self, ids: Iterable[int]) -> str:
        """The text of the ids, special tokens left out; bytes that are not UTF-8 become U+FFFD."""
        return self._backend.decode(list(ids), skip_special_tokens=True)

    def pieces(self, ids: Iterable[int]) -> list[str]:
        """Each token's own text, as far as it has one: a token may be part of a character."""
        return [self._backend.decode([i], skip_special_tokens=False) for i in ids]

    def bytes_of(self, ids: Iterable[int]) -> list[bytes]:
        """Each token's bytes, which joined are the UTF-8 that `decode` reads; none for special tokens."""
        return [
            b"" if i <= SEP_ID else bytes(_BYTE_OF[character] for character in self._backend.id_to_token(i))
            for i in ids
        ]
