// A link that opens the page with a text in it: ?q=TEXT, and the options it is to be translated with by the names that
// SearchOptions of malaygpt/decode.py gives them. A link may come from anywhere: what is no option is left out.

// Least and most of each option, as SearchOptions has them
const WHOLE = { num_beams: [1, 32], top_k: [0, 1e6], no_repeat_ngram: [0, 1e3], seed: [0, 2 ** 53 - 1] };
const REAL = { length_penalty: [0, 1e3], temperature: [Number.MIN_VALUE, 1e3], top_p: [Number.MIN_VALUE, 1] };

// `page` is the address of the page; what it has after "?" or "#" is replaced.
export function linkTo(page, english, options = {}) {
  const link = new URL(page);
  link.hash = "";
  link.search = new URLSearchParams({ q: english, ...valid(options) });
  return link.href;
}

// {english, options} of a link; null when it carries no text
export function readLink(address) {
  const parameters = new URL(address).searchParams;
  const english = parameters.get("q") ?? "";
  if (!english.trim()) return null;
  const numbers = [...parameters].filter(([, text]) => text.trim()).map(([name, text]) => [name, Number(text)]);
  return { english, options: valid(Object.fromEntries(numbers)) };
}

function valid(options) {
  return Object.fromEntries(Object.entries(options).filter(([name, value]) => isValid(name, value)));
}

function isValid(name, value) {
  const bounds = Object.hasOwn(WHOLE, name) ? WHOLE[name] : Object.hasOwn(REAL, name) && REAL[name];
  if (!bounds || typeof value !== "number" || (bounds === WHOLE[name] && !Number.isInteger(value))) return false;
  return bounds[0] <= value && value <= bounds[1];
}
