// A translation as a file: the Malay, or sentence by sentence with its English.

const MOST_WORDS = 6;
const MOST_CHARACTERS = 60;
const BREAKS = /[\t\n\v\f\r\u0085\u2028\u2029]+/g;
const SECONDS_TO_SAVE = 10; // within which the browser has read what it saves

// Named after the first words of a text; `fallback` where it has none. Letters, digits and hyphens: fit for any disk.
export function fileName(text, fallback, ending) {
  const words = text.match(/[\p{L}\p{N}]+/gu)?.slice(0, MOST_WORDS) ?? [];
  const name = [...(words.join("-") || fallback)].slice(0, MOST_CHARACTERS).join("");
  return `${name}.${ending}`;
}

// English, a tab, its Malay: a line for each sentence, and for what stands by itself between them, such as a link
export function pairsOf({ english, malay, parts }) {
  const pairs = parts.map((part) => [english.slice(...part.english), malay.slice(...part.malay)].map(onOneLine));
  return pairs.filter(([one, other]) => one || other).map((pair) => `${pair.join("\t")}\n`).join("");
}

// Hands the browser a file of UTF-8 to save.
export function save(name, text, type) {
  const link = document.createElement("a");
  const href = URL.createObjectURL(new Blob([text], { type: `${type};charset=utf-8` }));
  Object.assign(link, { href, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(href), 1000 * SECONDS_TO_SAVE);
}

function onOneLine(text) {
  return text.replace(BREAKS, " ").trim();
}
