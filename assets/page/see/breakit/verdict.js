// What became of the translation, from both sides of a comparison.

import { isNew } from "../differences.js";

const LEAST_RUN = 3; // times in a row that a token is said for it to be called a loop

export function wordsOf({ malay, words }) {
  return words.map(({ span }) => malay.slice(...span));
}

// Of each token of `one`, whether its word is not in `other`; both sentences
export function isOnlyIn(one, other) {
  const news = isNew(wordsOf(other), wordsOf(one));
  const found = one.tokens.map(() => false);
  one.words.forEach(({ tokens }, i) => tokens.forEach((at) => (found[at] ||= news[i])));
  return found;
}

// [name, values] of what is to be said of the broken side
export function verdicts(whole, broken) {
  const [before, after] = [whole, broken].map(({ sentence }) => wordsOf(sentence));
  const [gone, added] = [isNew(after, before), isNew(before, after)].map((news) => news.filter(Boolean).length);
  const found = [];
  if (after.length === 0) found.push(["silent", {}]);
  else if (whole.malay === broken.malay) found.push(["same", {}]);
  else found.push(["differs", { gone, of: before.length, added }]);
  if (broken.stopped) found.push([loops(broken.sentence) ? "loops" : "stopped", { count: broken.most_tokens }]);
  return found;
}

function loops({ tokens }) {
  const ids = tokens.slice(-LEAST_RUN).map(({ id }) => id);
  return new Set(ids).size === 1;
}
