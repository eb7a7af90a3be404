// The Malay pane: the translation as it streams, then each word to point at. See reading.words.js for what it says.
//
//   show({text, done: false, tokens})               while it streams; [[text, probability]] of the tokens that the
//                                                   text ends with
//   show({text, done: true, explanation, attention, options})
//       once it is done: an Explanation (malaygpt/explain.py); attention_json() of each sentence, where the page has it;
//       the SearchOptions that are not as usual, for the link. Without an Explanation the text stands as it is.
//   show({text: "", done: true})                    clears it
//
// It asks ask("attention", {sentence}) for attention_json(); ask("choose", {sentence, token, id}) for the Explanation
// with another token there, `id` being a token or the text to say from there. Events at root: "explained" when the reader
// has chosen, its detail being the Explanation; "translate" when a past text is to be translated again, its detail being
// {text}.

import { isNew } from "./differences.js";
import { el, fill, percent } from "./dom.js";
import { attendedShares, largest } from "./reading/attended.js";
import { Card } from "./reading/card.js";
import { remember } from "./reading/history.js";
import { othersOf } from "./reading/others.js";
import { Pane } from "./reading/pane.js";
import { Pointing } from "./reading/pointing.js";
import { partsOf, spansOf } from "./reading/spans.js";
import { Tools } from "./reading/tools.js";
import { WordCard, describeWord } from "./reading/wordcard.js";

export { ENGLISH, MALAY } from "./reading.words.js";

const DOUBTFUL = ["unlikely", "uncertain", "cut"]; // "again" would mark a whole sentence: the card tells it
const ORDINARY = /^\p{Ll}/u; // a word that ought not to be copied, as a name, a number or an emoji ought to be
const HEARD = 2000; // milliseconds after which what was announced is taken away, so that nobody reads it twice
const FRESH = 2600; // milliseconds that what changed stays marked
const MOST_READERS = 2;

export function mountReading(root, context) {
  return new Reading(root, context);
}

class Reading {
  #timers = new Set();
  #shares = new Map(); // sentence -> Promise of its attendedShares(), or of null where they cannot be had
  #pointed = null;
  #wordCard = null;

  constructor(root, { words, ask, reducedMotion }) {
    [this.root, this.words, this.ask] = [root, words, ask];
    this.explanation = null;
    this.malay = new Pane(
      { class: "text", lang: "ms", "aria-label": words.malay, "data-side": "malay", "data-empty": words.empty },
      (sentence, word) => (this.#isDoubtful(sentence, word) ? "doubtful" : ""),
    );
    this.english = new Pane({ class: "mirror", lang: "en", "aria-label": words.mirror, "data-side": "english" });
    this.card = new Card(words);
    this.card.refocus = (node) => this.#focus(node);
    this.card.onclose = () => this.#onClosed();
    this.tools = new Tools(words, this.card, {
      say: (text) => this.#say(text, { isSeen: true }),
      others: () => this.#openOthers(this.#pointed?.sentence ?? 0),
      translate: (text) => this.#announce("translate", { text }),
      settings: (settings) => Object.entries(settings).forEach(([name, isOn]) => root.classList.toggle(name, isOn)),
    });
    this.live = el("p", { class: "heard", role: "status" });
    root.classList.add("reading");
    root.lang = words.lang;
    root.classList.toggle("still", Boolean(reducedMotion));
    root.append(this.malay.node, this.english.node, this.tools.node, this.live, this.card.node);
    this.pointing = new Pointing(root, this.card.node, {
      point: (place) => this.#point(place),
      open: (place) => this.#openWord(place),
      enter: (place) => this.#enter(place),
      dismiss: () => this.card.close(),
    });
    this.malay.node.addEventListener("scroll", () => this.#onScroll());
    this.show({ text: "", done: true });
  }

  show({ text, done, tokens = [], explanation = null, attention = [], options = {} }) {
    if (this.explanation || done) this.#forgetSentence();
    [this.text, this.explanation, this.options] = [text, explanation, options];
    this.malay.isBusy = !done;
    if (!text) this.malay.clear();
    if (!done || !explanation) {
      if (text) this.malay.stream(text, done ? [] : tokens);
      this.english.clear();
    } else {
      attention.forEach((maps, i) => this.#shares.set(i, Promise.resolve(sharesOf(explanation.sentences[i], maps))));
      this.#settle();
      remember(explanation.english, explanation.malay);
    }
    if (done && text) this.#say(text, { isSeen: false });
    this.#giveTools();
    this.#tell("");
  }

  destroy() {
    this.card.close();
    this.pointing.stop();
    this.explanation = null; // an answer that is still to come is to nobody
    this.malay.clear();
    for (const timer of this.#timers) clearTimeout(timer);
    this.root.classList.remove("reading", "still", "doubts", "english", "pointing");
    this.root.removeAttribute("lang");
    this.root.replaceChildren();
  }

  // The text

  #settle() {
    this.malay.settle(partsOf(this.explanation, "malay"));
    this.english.settle(partsOf(this.explanation, "english"));
  }

  #forgetSentence() {
    this.#shares.clear();
    this.card.close();
    this.pointing.release();
  }

  #isDoubtful(sentence, word) {
    const { marks } = this.explanation.sentences[sentence].words[word];
    const isCopied = marks.includes("copied") && ORDINARY.test(this.#wordText("malay", sentence, word));
    return isCopied || marks.some((mark) => DOUBTFUL.includes(mark));
  }

  #wordText(side, sentence, word) {
    const span = spansOf(this.explanation, side, sentence)[word];
    return this.explanation.sentences[sentence][side].slice(...span).trim();
  }

  #giveTools() {
    this.tools.give(this);
  }

  // Pointing

  #point(place) {
    this.#pointed = place;
    const { side = null, sentence = null, word = null } = place ?? {};
    this.root.classList.toggle("pointing", place !== null);
    this.malay.point(sentence, side === "malay" ? word : null);
    this.english.point(sentence, side === "english" ? word : null);
    this.malay.tint(null, null);
    this.english.tint(null, null);
    this.#tell("");
    if (place === null) return;
    this.#reveal(place);
    if (word === null) return;
    if (side === "malay") this.#tellWord(sentence, word);
    this.#showShares(place);
  }

  #tellWord(sentence, word) {
    const description = describeWord(this.words, this.explanation, sentence, word);
    this.malay.word(sentence, word).setAttribute("aria-description", description);
    this.#tell(description);
  }

  // Brings the other side's sentence into view.
  #reveal({ side, sentence }) {
    const there = side === "malay" ? this.english : this.malay;
    const first = there.word(sentence, 0);
    if (first) there.reveal(first);
  }

  async #showShares(place) {
    const shares = await this.#sharesFor(place.sentence);
    if (this.#pointed !== place || shares === null) return;
    const { side, sentence, word } = place;
    const there = side === "malay" ? this.english : this.malay;
    const row = side === "malay" ? shares[word] : shares.map((each) => each[word]);
    there.tint(sentence, row);
    const [most] = largest(row, 1);
    if (most !== undefined) there.reveal(there.word(sentence, most));
    if (side === "english") this.#tellReaders(place, row);
  }

  #tellReaders({ sentence, word }, row) {
    const list = largest(row, MOST_READERS).map((i) => fill(
      this.words.shareOf,
      { word: this.#wordText("malay", sentence, i), percent: percent(row[i]) },
    ));
    const template = list.length ? this.words.readBy : this.words.readByNone;
    this.#tell(fill(template, { word: this.#wordText("english", sentence, word), list: list.join(", ") }));
  }

  #sharesFor(sentence) {
    if (!this.#shares.has(sentence)) {
      const read = this.explanation.sentences[sentence];
      const without = () => null; // then nothing is highlighted, and everything else still works
      this.#shares.set(sentence, this.ask("attention", { sentence }).then((maps) => sharesOf(read, maps), without));
    }
    return this.#shares.get(sentence);
  }

  // Cards

  async #openWord(place) {
    const { sentence, word } = place;
    const anchor = this.malay.word(sentence, word);
    if (this.card.anchor === anchor) return;
    const choose = (token, id) => this.#choose(sentence, { token, id });
    const wordCard = new WordCard(this.words, this.explanation, place, choose);
    this.#wordCard = wordCard;
    this.tools.expand(null);
    this.card.open(anchor, describeWord(this.words, this.explanation, sentence, word), wordCard.content);
    const shares = await this.#sharesFor(sentence);
    if (this.#wordCard === wordCard) wordCard.tellShares(shares && shares[word]);
  }

  async #enter(place) {
    if (place.side === "malay") {
      this.#openWord(place);
      this.card.enter();
      return;
    }
    const shares = await this.#sharesFor(place.sentence);
    const [most] = shares ? largest(shares.map((row) => row[place.word]), 1) : [];
    const word = this.malay.word(place.sentence, most ?? 0);
    if (word) this.#focus(word);
  }

  #openOthers(number) {
    const content = othersOf(this.words, this.explanation, number, {
      onTurn: (to) => this.#openOthers(to),
      onChoose: (choice) => this.#choose(number, choice),
    });
    this.#wordCard = null;
    this.tools.open("others", this.words.othersTitle, content);
    this.pointing.hold({ side: "malay", sentence: number, word: null });
  }

  #onClosed() {
    this.#wordCard = null;
    this.tools.expand(null);
    this.pointing.release();
  }

  #onScroll() {
    if (!this.#wordCard) return;
    const [pane, word] = [this.malay.node, this.card.anchor].map((node) => node.getBoundingClientRect());
    if (word.bottom < pane.top || word.top > pane.bottom) this.card.close();
    else this.card.place();
  }

  #focus(node) {
    if (this.malay.node.contains(node)) this.malay.moveStop(node);
    this.pointing.focus(node);
  }

  // Choosing

  async #choose(sentence, choice) {
    if (this.card.isBusy) return;
    const before = this.explanation;
    this.card.isBusy = true;
    this.#tell(this.words.changing);
    try {
      const after = await this.ask("choose", { sentence, ...choice });
      if (this.explanation === before) this.#adopt(after, sentence, choice.token);
    } catch (error) {
      if (this.explanation === before) this.card.complain(error.message || this.words.failed);
      this.#tell("");
    } finally {
      this.card.isBusy = false;
    }
  }

  #adopt(after, number, token) {
    const fresh = isNew(...[this.explanation, after].map((each) => wordsOf(each.sentences[number])));
    [this.explanation, this.text] = [after, after.malay];
    this.#announce("explained", after); // first of all: what is asked from here on is of this one
    this.#shares.delete(number);
    this.#settle();
    this.card.close();
    const place = after.sentences[number].words.findIndex((word) => word.tokens.includes(token));
    const chosen = this.malay.word(number, place) ?? this.malay.word(number, 0);
    if (chosen) this.#focus(chosen);
    this.#markFresh(number, fresh);
    this.#giveTools();
    this.#say(fill(this.words.changed, { text: after.sentences[number].malay }), { isSeen: false });
    remember(after.english, after.malay);
  }

  #markFresh(number, fresh) {
    const marked = fresh.flatMap((isSo, word) => (isSo ? [this.malay.word(number, word)] : []));
    for (const word of marked) word.classList.add("fresh");
    this.#later(FRESH, () => marked.forEach((word) => word.classList.remove("fresh")));
  }

  // Saying

  // To screen readers; to everyone if it is to be seen
  #say(text, { isSeen }) {
    if (isSeen) this.#tell(text);
    this.live.textContent = text;
    this.#later(HEARD, () => {
      if (this.live.textContent === text) this.live.textContent = "";
    });
  }

  #tell(text) {
    const hint = this.explanation?.sentences.length && !this.#pointed ? this.words.hint : "";
    if (this.tools.note.textContent !== (text || hint)) this.tools.note.textContent = text || hint;
  }

  // To the page around the view
  #announce(name, detail) {
    this.root.dispatchEvent(new CustomEvent(name, { detail, bubbles: true }));
  }

  #later(milliseconds, act) {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      act();
    }, milliseconds);
    this.#timers.add(timer);
  }
}

function wordsOf({ malay, words }) {
  return words.map(({ span }) => malay.slice(...span));
}

function sharesOf(sentence, maps) {
  return maps ? attendedShares(sentence, maps.cross) : null;
}
