// What else the model held likely at one token of a word, as the reader is shown it.

import { wordSpans } from "./spans.js";

const ENDS = "[SEP]";
const NOT_TEXT = new Set(["[PAD]", "[UNK]", "[CLS]"]);

// [{id, before, text, goesOn, ends, probability, isSaid}], likeliest first. A choice reads `before` + `text`, `before`
// being what the word's tokens said until then. goesOn: more letters may follow. ends: the sentence would end there.
export function choicesAt(explanation, number, word, token) {
  const sentence = explanation.sentences[number];
  const piece = (id) => explanation.pieces[id];
  const { id: said, log_prob: logProb, alternatives } = sentence.tokens[token];
  const before = sentence.words[word].tokens.filter((each) => each < token).map((i) => piece(sentence.tokens[i].id));
  const known = alternatives.some(([id]) => id === said) ? alternatives : [...alternatives, [said, logProb]];
  return known
    .filter(([id]) => !NOT_TEXT.has(piece(id)) && (token > 0 || piece(id) !== ENDS))
    .sort(([, one], [, other]) => other - one)
    .map(([id, each]) => ({
      id,
      before: before.join("").trimStart(),
      ...shown(sentence, token, piece(id), piece(said)),
      probability: Math.exp(each),
      isSaid: id === said,
    }));
}

// What the tokens of a word say, one by one: [{token, text}]
export function piecesOf(explanation, number, word) {
  const { tokens, words } = explanation.sentences[number];
  return words[word].tokens.map((token) => ({ token, text: explanation.pieces[tokens[token].id] }));
}

// Whether a word stood hidden from the model, which said a stand-in: its pieces are then not the word.
export function isHidden(explanation, number, word) {
  const { malay, words } = explanation.sentences[number];
  const said = piecesOf(explanation, number, word).map(({ text }) => text).join("");
  const isPartly = said.includes("\\x"); // a token that ends within a character, which tells nothing
  return !isPartly && !said.includes(malay.slice(...words[word].span).trim());
}

function shown(sentence, token, piece, said) {
  if (piece === ENDS) return { text: "", goesOn: false, ends: true };
  // Without a space where one was, it goes on with the word before.
  const joins = token > 0 && said.startsWith(" ") && /^[\p{L}\p{N}]/u.test(piece);
  const whole = wholeWord(sentence, token, piece);
  const text = (joins ? "…" : "") + (whole ?? piece);
  return { text, goesOn: whole === null && /\p{L}$/u.test(piece), ends: false };
}

// The word that a piece began in another translation which is the same until there; null where none is known
function wholeWord(sentence, token, piece) {
  const span = sentence.tokens[token].span;
  if (!span || !/\p{L}$/u.test(piece)) return null;
  const end = span[0] + piece.length;
  const beginning = sentence.malay.slice(0, span[0]) + piece;
  for (const { malay } of [sentence, ...sentence.hypotheses]) {
    if (!malay.startsWith(beginning)) continue;
    const found = wordSpans(malay).find(([start, stop]) => start < end && end <= stop);
    if (found) return malay.slice(span[0], found[1]);
  }
  return null;
}
