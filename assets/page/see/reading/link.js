// A link that opens the page with a text in it: ?q=TEXT, the options it is to be translated with by the names that
// SearchOptions of malaygpt/decode.py gives them, and lang, the page's language where it is not English.
// A link may come from anywhere: what is no option is left out, and so is what cannot be done together. So are the
// lengths, which could cut a translation short unseen, and how many hypotheses and alternatives to tell of.

const LANGUAGES = ["en", "ms"];
// Least and most of each option. SearchOptions has no most for some: those are more than anybody wants.
const WHOLE = {
  num_beams: [1, 8],
  top_k: [0, 1e6],
  seed: [0, 2 ** 53 - 1], // what a number of JavaScript holds to the unit
  no_repeat_ngram: [0, 1000],
};
const REAL = { length_penalty: [0, 100], temperature: [1e-3, 1000], top_p: [1e-3, 1] };
const NUMBER = /^\d+(\.\d+)?(e[+-]?\d+)?$/i;

// `page` is the address of the page; what it has after "?" or "#" is replaced.
export function makeLink(page, { text, options = {}, lang = "en" }) {
  const link = new URL(page);
  link.hash = "";
  link.search = new URLSearchParams({ q: text, ...possible(options), ...(lang === "en" || !lang ? {} : { lang }) });
  return link.href;
}

// {text, options, lang}: the text "" when there is none, the language null when the link does not say
export function readLink(address) {
  const parameters = new URL(address).searchParams;
  const text = parameters.get("q") ?? "";
  const said = Object.keys({ ...WHOLE, ...REAL }).map((name) => [name, parameters.get(name) ?? ""]);
  const numbers = said.filter(([, number]) => NUMBER.test(number)).map(([name, number]) => [name, Number(number)]);
  const lang = parameters.get("lang");
  return {
    text: text.trim() ? text : "",
    options: possible(Object.fromEntries(numbers)),
    lang: LANGUAGES.includes(lang) ? lang : null,
  };
}

// The options without those that SearchOptions would refuse
function possible(options) {
  const kept = Object.fromEntries(Object.entries(options).filter(([name, value]) => isWithin(name, value)));
  if (kept.num_beams > 1) delete kept.temperature; // beams are searched, samples are drawn
  if ("temperature" in kept) kept.num_beams = 1;
  else for (const name of ["top_k", "top_p"]) delete kept[name];
  return kept;
}

function isWithin(name, value) {
  const isWhole = Object.hasOwn(WHOLE, name);
  if (!isWhole && !Object.hasOwn(REAL, name)) return false;
  const [least, most] = isWhole ? WHOLE[name] : REAL[name];
  return typeof value === "number" && least <= value && value <= most && (!isWhole || Number.isInteger(value));
}
