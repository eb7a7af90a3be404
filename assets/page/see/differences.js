// What is different between two translations, word by word.

import { wordSpans } from "./reading/spans.js";

// [[i, j]]: the places of a longest common subsequence of two lists, in order. Of several as long the same one, whichever
// list comes first: two sentences that are marked side by side must agree on what they share.
function common(one, other) {
  if (one.join("\n") > other.join("\n")) return common(other, one).map(([j, i]) => [i, j]);
  const lengths = Array.from({ length: one.length + 1 }, () => new Uint16Array(other.length + 1));
  for (let i = one.length - 1; i >= 0; i--) {
    for (let j = other.length - 1; j >= 0; j--) {
      lengths[i][j] = one[i] === other[j] ? lengths[i + 1][j + 1] + 1 : Math.max(lengths[i + 1][j], lengths[i][j + 1]);
    }
  }
  const pairs = [];
  for (let i = 0, j = 0; i < one.length && j < other.length;) {
    if (one[i] === other[j]) pairs.push([i++, j++]);
    else if (lengths[i + 1][j] >= lengths[i][j + 1]) i++;
    else j++;
  }
  return pairs;
}

// For each item of `other`, whether it is new to `one`
export function isNew(one, other) {
  const kept = new Set(common(one, other).map(([, j]) => j));
  return other.map((_, j) => !kept.has(j));
}

// `other` beside `one`: [{kind, text, instead}], whose texts joined are `other`, those of kind "gone" left out.
// kind "same": in both. "new": only in `other`, where `one` has `instead`. "gone": only in `one`, with nothing instead.
export function differences(one, other) {
  const [before, after] = [spaced(one), spaced(other)];
  const stretches = [];
  let [i, j] = [0, 0];
  for (const [nextI, nextJ] of [...common(before.words, after.words), [before.words.length, after.words.length]]) {
    const gone = before.texts.slice(i, nextI).join("");
    if (nextJ > j) stretches.push({ kind: "new", text: after.texts.slice(j, nextJ).join(""), instead: gone.trim() });
    else if (gone) stretches.push({ kind: "gone", text: gone, instead: "" });
    if (nextJ < after.words.length) add(stretches, after.texts[nextJ]);
    [i, j] = [nextI + 1, nextJ + 1];
  }
  if (after.tail) add(stretches, after.tail);
  return stretches;
}

function add(stretches, text) {
  if (stretches.at(-1)?.kind === "same") stretches.at(-1).text += text;
  else stretches.push({ kind: "same", text, instead: "" });
}

// The words of a text; the same with the space before each; and the space after the last
function spaced(text) {
  const spans = wordSpans(text);
  const ends = [0, ...spans.map(([, stop]) => stop)];
  return {
    words: spans.map((span) => text.slice(...span)),
    texts: spans.map(([, stop], i) => text.slice(ends[i], stop)),
    tail: text.slice(ends.at(-1)),
  };
}
