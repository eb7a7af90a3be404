// What the tour says of the reader's own sentence: every {name} in a stop's text, from an Explanation
// (malaygpt/explain.py) and, where it is at hand, attention_json() of the sentence. What is not known is null, and what
// would need it is not said.

import { percent } from "../dom.js";
import { readTokens, shown, words } from "../inside/pieces.js";
import { attentionMaps } from "../maps.js";

const IN_WORDS = /[\p{L}\p{N}]/u;
const OF_ATTENTION = [
  ...["encoderLayers", "decoderLayers", "heads", "allHeads", "looked", "lookedShare", "restsOnEnd"],
  ...["reader", "mostRead", "mostReadShare"],
];
const IN_LINE = 6; // pieces of a word that are told one by one

// The sentence that a tour is about, the first of which something was said; its number, or -1 where there is none
export function sentenceOf(explanation) {
  return explanation.sentences.findIndex(({ source, words: said }) => source.length > 1 && said.length > 0);
}

// {name: value, or null where it is not known}; "" where it is a fact that something is so
export function factsOf(explanation, number, attention) {
  const sentence = explanation.sentences[number];
  const { source, tokens } = readTokens(explanation, sentence);
  const asWritten = (token) => ({ ...token, label: plain(token.label) });
  const [english, malay] = [source, tokens].map((line) => line.map(asWritten));
  return {
    several: explanation.sentences.length > 1 ? explanation.sentences.length : null,
    ...lengths(source, tokens),
    ...split(source),
    ...said(explanation, sentence, malay),
    ...searched(sentence),
    ...attended(attention, english),
  };
}

// Without the dot that stands for a space before a word
function plain(label) {
  return label.replace(/^·(?=.)/u, "");
}

// Words as the Inside view counts them
function lengths(source, tokens) {
  const isWord = (tokensOfWord) => tokensOfWord.some((i) => !source[i].special && IN_WORDS.test(source[i].label));
  const numWords = words(source).filter(isWord).length;
  return { words: numWords, tokens: source.length, steps: tokens.length, lastPlace: source.length - 1 };
}

// The word of the most pieces, the first of them; null where every word is one token
function split(source) {
  const groups = words(source).filter((group) => IN_WORDS.test(textOf(group)));
  const longest = groups.reduce((most, group) => (group.length > most.length ? group : most), []);
  const isSplit = longest.length > 1;
  const pieces = longest.slice(0, IN_LINE).map((i) => plain(source[i].label));
  if (longest.length > IN_LINE) pieces.push("…");
  return {
    split: isSplit ? textOf(longest) : null,
    pieces: isSplit ? pieces.join(" + ") : null,
    numPieces: isSplit ? longest.length : null,
    unsplit: isSplit || groups.length === 0 ? null : "",
  };

  function textOf(group) {
    return group.map((i) => source[i].label).join("").replaceAll("·", "");
  }
}

// The first token that was chosen, and the first word
function said(explanation, sentence, tokens) {
  const [token] = sentence.tokens;
  const word = sentence.words.find(({ span }) => IN_WORDS.test(sentence.malay.slice(...span))) ?? sentence.words[0];
  const next = token.alternatives.find(([id]) => id !== token.id);
  return {
    word: sentence.malay.slice(...word.span),
    wordShare: percent(word.probability),
    token: tokens[0].label,
    tokenShare: percent(Math.exp(token.log_prob)),
    other: next ? plain(shown(explanation.pieces[next[0]])) : null,
    otherShare: next ? percent(Math.exp(next[1])) : null,
    second: tokens.length > 1 ? tokens[1].label : null,
  };
}

// Greedy takes the likeliest at each step: where one that was chosen was not, the search had a reason.
function searched(sentence) {
  const { num_beams: beams, temperature } = sentence.search;
  const chosen = sentence.tokens.slice(sentence.forced);
  const passedOver = chosen.filter(({ id, alternatives }) => alternatives.length > 0 && alternatives[0][0] !== id);
  const isSearch = beams > 1 && temperature === null;
  return {
    beams: isSearch ? beams : null,
    onlyGreedy: beams === 1 && temperature === null ? "" : null,
    drawn: temperature === null ? null : "",
    passedOver: isSearch && passedOver.length > 0 ? passedOver.length : null,
    neverPassedOver: isSearch && passedOver.length === 0 ? "" : null,
  };
}

// Layers, heads, and where the first choice looked: the last layer, mean of its heads
function attended(attention, source) {
  if (!attention) {
    return Object.fromEntries(OF_ATTENTION.map((name) => [name, null]));
  }
  const maps = attentionMaps(attention);
  const numLayers = (kind) => maps.layers(kind);
  const mean = (kind) => maps.map(kind, { layer: numLayers(kind) - 1, head: "mean" });
  const looked = strongest(mean("cross"), 0);
  const reader = source.findIndex(({ label }) => IN_WORDS.test(label));
  const read = reader < 0 ? null : strongest(mean("encoder"), reader);
  const numHeads = (kind) => numLayers(kind) * maps.heads(kind);
  return {
    encoderLayers: numLayers("encoder"),
    decoderLayers: numLayers("decoder"),
    heads: maps.heads("encoder"),
    allHeads: numHeads("encoder") + numHeads("decoder") + numHeads("cross"),
    looked: source[looked.column].label,
    lookedShare: percent(looked.weight),
    restsOnEnd: source[looked.column].special ? "" : null,
    reader: read && source[reader].label,
    mostRead: read && source[read.column].label,
    mostReadShare: read && percent(read.weight),
  };
}

// The largest weight of a row
function strongest({ columns, weights }, row) {
  const shares = [...weights.subarray(row * columns, (row + 1) * columns)];
  const weight = Math.max(...shares);
  return { column: shares.indexOf(weight), weight };
}
