// The other translations of a sentence that the search found, with what is different in them.

import { differences } from "../differences.js";
import { el, fill } from "../dom.js";
import { wordSpans } from "./spans.js";

// What to choose, and where, so that a sentence comes out as `malay`: {token, id}, `id` being a token or the text to say.
export function choiceFor(sentence, malay) {
  const [shown, other] = [sentence, { malay }].map((each) => wordSpans(each.malay).map((span) => each.malay.slice(...span)));
  const same = shown.findIndex((word, i) => word !== other[i]);
  const place = same < 0 ? shown.length : same;
  const token = sentence.words[place]?.tokens[0] ?? sentence.tokens.length - 1;
  if (place >= other.length) return { token, id: sentence.source.at(-1).id }; // [SEP]: it ends there
  return { token, id: malay.slice(wordSpans(malay)[place][0]) };
}

// The translations of a sentence, the one that is shown first: [malay]
export function translationsOf(sentence) {
  return [...new Set([sentence.malay, ...sentence.hypotheses.map(({ malay }) => malay)])].slice(0, 4);
}

// What a card says of them. `onTurn(number)` asks for another sentence, `onChoose(choice)` for one of the translations.
export function othersOf(words, explanation, number, { onTurn, onChoose }) {
  const sentence = explanation.sentences[number];
  const [shown, ...others] = translationsOf(sentence);
  const choose = (malay) => onChoose(choiceFor(sentence, malay));
  return [
    el("h3", {}, words.othersTitle),
    explanation.sentences.length > 1 && turner(words, explanation.sentences.length, number, onTurn),
    el("p", { class: "english", lang: "en" }, sentence.english),
    el(
      "ol",
      { class: "others" },
      el("li", {}, el("button", { type: "button", "aria-current": "true" }, malayOf(shown), tag(words.shown))),
      others.map((malay) => el("li", {}, el(
        "button",
        { type: "button", onclick: () => choose(malay) },
        el("span", { lang: "ms" }, differences(shown, malay).map((each) => stretch(words, each))),
      ))),
    ),
    others.length === 0 && el("p", { class: "none" }, words.othersNone),
  ].filter(Boolean);
}

function turner(words, count, number, onTurn) {
  const turn = (label, to, sign) => el(
    "button",
    { type: "button", "aria-label": label, disabled: to < 0 || to >= count, onclick: () => onTurn(to) },
    sign,
  );
  return el(
    "div",
    { class: "turner" },
    turn(words.previous, number - 1, "‹"),
    el("span", {}, fill(words.sentenceOf, { number: number + 1, count })),
    turn(words.next, number + 1, "›"),
  );
}

function malayOf(text) {
  return el("span", { lang: "ms" }, text);
}

function tag(text) {
  return el("span", { class: "said" }, text);
}

function stretch(words, { kind, text, instead }) {
  if (kind === "same") return text;
  const space = text.match(/^\s*/)[0];
  const title = instead ? fill(words.insteadOf, { text: instead }) : null;
  return el("span", {}, space, el(kind === "new" ? "ins" : "del", { title }, text.slice(space.length)));
}
