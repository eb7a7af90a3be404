// How much of its attention each Malay word gave to each English word: cross-attention of the last layer, mean over
// heads.

import { meanOfHeads, unpack } from "../maps.js";
import { overlap, wordSpans } from "./spans.js";

// `cross` as attention_json() of malaygpt/explain.py packs it -> a row of shares for each Malay word, a column for each
// English word. What went to [SEP] is in no column, so that a row adds up to one at most. A Malay word of several
// tokens has their mean.
export function attendedShares(sentence, cross) {
  const maps = unpack(cross);
  const { columns: pieces, weights } = meanOfHeads(maps, maps.layers - 1);
  const english = wordSpans(sentence.english);
  const columns = sentence.source.map(({ span }) => (span ? english.findIndex((each) => overlap(each, span)) : -1));
  return sentence.words.map(({ tokens }) => {
    const row = new Array(english.length).fill(0);
    for (const token of tokens) {
      columns.forEach((word, piece) => {
        if (word >= 0) row[word] += weights[token * pieces + piece] / tokens.length;
      });
    }
    return row;
  });
}

// The places of the largest shares, largest first: at most `most`, and none that is under a tenth of the largest.
export function largest(shares, most) {
  const least = Math.max(...shares, 0) / 10;
  const places = shares.map((_, i) => i).filter((i) => shares[i] > 0 && shares[i] >= least);
  return places.sort((i, j) => shares[j] - shares[i]).slice(0, most);
}
