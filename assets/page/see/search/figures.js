// Numbers of a search for people: log-probabilities and scores are negative, and told apart by their third decimal.

import { fill, percent } from "../dom.js";

export function figure(value, decimals = 3) {
  const text = Math.abs(value).toFixed(decimals);
  return value < 0 && Number(text) !== 0 ? `−${text}` : text;
}

const WAYS = {
  share: percent, otherShare: percent, total: figure, last: figure, score: figure, most: figure, least: figure,
};

// [name, values] as tree.js and remarks.js give it -> a sentence
export function written(templates, [name, values]) {
  const texts = Object.entries(values).map(([key, value]) => [key, WAYS[key]?.(value) ?? value]);
  return fill(templates[name], Object.fromEntries(texts));
}
