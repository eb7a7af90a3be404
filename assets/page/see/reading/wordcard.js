// What the card says of one Malay word: how sure the model was, why the word is doubtful, where it looked, and what it
// would have said instead.

import { el, fill, percent } from "../dom.js";
import { largest } from "./attended.js";
import { choicesAt, isHidden, piecesOf } from "./choices.js";
import { wordSpans } from "./spans.js";

const LEAST = [0, 0.2, 0.5, 0.8, 0.95]; // the least probability for each of words.confidence
const MOST_SOURCES = 3;

// What a screen reader hears of the word
export function describeWord(words, explanation, number, word) {
  const { malay, words: all } = explanation.sentences[number];
  const { span, probability } = all[word];
  const values = { word: malay.slice(...span).trim(), percent: percent(probability), confidence: confidence(words, probability) };
  return fill(words.about, values);
}

export class WordCard {
  #words;
  #explanation;
  #number;
  #word;
  #onChoose;

  // `onChoose(token, id)` is called with the place of a token in the sentence and the token to stand there instead.
  constructor(words, explanation, { sentence, word }, onChoose) {
    [this.#words, this.#explanation, this.#number, this.#word] = [words, explanation, sentence, word];
    this.#onChoose = onChoose;
    this.sources = el("p", { class: "sources" });
    this.choices = el("ul", { class: "choices" });
    this.content = [...this.#head(), this.sources, ...this.#alternatives()];
  }

  // Where the word looked: its row of attendedShares(); null where that cannot be known
  tellShares(shares) {
    this.sources.hidden = shares === null;
    if (shares === null) return;
    const english = this.#sentence.english;
    const spans = wordSpans(english);
    const places = largest(shares, MOST_SOURCES);
    const told = places.flatMap((i) => [
      " ",
      el("span", {}, el("b", { lang: "en" }, english.slice(...spans[i])), ` ${percent(shares[i])}`),
    ]);
    this.sources.replaceChildren(this.#words.sources, ...told);
  }

  get #sentence() {
    return this.#explanation.sentences[this.#number];
  }

  #head() {
    const { malay, words } = this.#sentence;
    const { span, probability, marks } = words[this.#word];
    return [
      el(
        "div",
        { class: "head" },
        el("strong", { lang: "ms" }, malay.slice(...span)),
        el("span", {}, `${percent(probability)} · ${confidence(this.#words, probability)}`),
      ),
      el("div", { class: "meter", "aria-hidden": "true", style: { "--share": probability } }),
      el("ul", { class: "reasons" }, marks.map((mark) => el("li", {}, this.#words.reasons[mark]))),
    ];
  }

  #alternatives() {
    if (isHidden(this.#explanation, this.#number, this.#word)) return [];
    const pieces = piecesOf(this.#explanation, this.#number, this.#word);
    this.#list(pieces[0].token);
    return [el("p", { class: "instead" }, this.#words.instead), pieces.length > 1 && this.#pieces(pieces), this.choices]
      .filter(Boolean);
  }

  #pieces(pieces) {
    const buttons = pieces.map(({ token, text }, i) => el(
      "button",
      { type: "button", lang: "ms", "aria-pressed": String(i === 0), onclick: () => {
        buttons.forEach((button, j) => button.setAttribute("aria-pressed", String(i === j)));
        this.#list(token);
      } },
      text.trim() || this.#words.space,
    ));
    return el("div", { class: "pieces", role: "group", "aria-label": this.#words.pieces }, buttons);
  }

  #list(token) {
    const choices = choicesAt(this.#explanation, this.#number, this.#word, token);
    this.choices.replaceChildren(...choices.map((choice) => el("li", {}, this.#choice(token, choice))));
  }

  #choice(token, { id, before, text, goesOn, ends, probability, isSaid }) {
    const said = ends ? this.#words.ends : text.trim() ? text : this.#words.space;
    return el(
      "button",
      {
        type: "button",
        style: { "--share": probability },
        "aria-current": isSaid && "true",
        onclick: () => { if (!isSaid) this.#onChoose(token, id); },
      },
      el("span", { class: "choice", lang: ends ? null : "ms" }, el("span", { class: "before" }, before), said, goesOn && "…"),
      el("span", { class: "percent" }, percent(probability)),
    );
  }
}

function confidence(words, probability) {
  return words.confidence[LEAST.findLastIndex((least) => probability >= least)];
}
