// A text in one language, word by word: first as it streams, then in parts whose words can be pointed at.

import { el } from "../dom.js";
import { readScale } from "../scale.js";
import { Roving } from "./roving.js";
import { Unsure, unsureSpans } from "./unsure.js";

const LEAST_SEEN = 0.04; // a share of the largest that is less cannot be told from none
const FOLLOWING = 8; // pixels from its end within which a text that grows is followed

export class Pane {
  #roving;
  #classOf;
  #unsure = new Unsure();

  // `classOf` of a word's sentence and place gives its class besides "word".
  constructor(attributes, classOf = () => "") {
    this.node = el("div", { role: "group", ...attributes });
    this.#classOf = classOf;
    this.#roving = new Roving(this.node, ".word");
  }

  set isBusy(isBusy) {
    if (this.node.ariaBusy !== String(isBusy)) this.node.ariaBusy = String(isBusy);
  }

  // Only what is new is written: a beam may give way to another, but most of the text stays. `tokens` are those that
  // the text ends with: [[text, probability]].
  stream(text, tokens = []) {
    const follows = this.node.scrollHeight - this.node.scrollTop - this.node.clientHeight < FOLLOWING;
    const stands = this.#streaming();
    const same = commonLength(stands.data, text);
    if (same < stands.length) stands.replaceData(same, stands.length - same, text.slice(same));
    else if (same < text.length) stands.appendData(text.slice(same));
    this.#unsure.mark(stands, unsureSpans(text, tokens));
    if (follows) this.node.scrollTop = this.node.scrollHeight;
  }

  // `parts` as partsOf() of spans.js gives them. Whatever stands there already and is the same stays.
  settle(parts) {
    const scrolled = this.node.scrollTop;
    this.#unsure.clear();
    if (this.node.firstChild?.nodeType === Node.TEXT_NODE) this.node.replaceChildren();
    parts.forEach(({ sentence, runs }, i) => {
      if (!this.node.children[i]) this.node.append(el("span"));
      const part = this.node.children[i];
      part.className = sentence === null ? "" : "sentence";
      this.#write(part, runs, sentence);
    });
    while (this.node.children.length > parts.length) this.node.lastChild.remove();
    this.node.scrollTop = scrolled;
    this.#roving.refresh();
  }

  clear() {
    this.#unsure.clear();
    this.node.replaceChildren();
  }

  word(sentence, word) {
    return this.node.querySelector(`.word[data-sentence="${sentence}"][data-word="${word}"]`);
  }

  moveStop(word) {
    this.#roving.moveTo(word);
  }

  // Shows a sentence, and within it a word, as pointed at; null for none.
  point(sentence, word) {
    for (const each of this.node.querySelectorAll(".linked, .pointed")) each.classList.remove("linked", "pointed");
    if (sentence === null) return;
    this.node.querySelector(`.word[data-sentence="${sentence}"]`)?.parentNode.classList.add("linked");
    if (word !== null) this.word(sentence, word)?.classList.add("pointed");
  }

  // Colours the words of a sentence by their shares, the largest most of all; null takes the colours away.
  tint(sentence, shares) {
    for (const word of this.node.querySelectorAll(".tinted")) {
      word.classList.remove("tinted");
      word.removeAttribute("style");
    }
    if (shares === null) return;
    const scale = readScale(this.node);
    const most = Math.max(...shares, Number.MIN_VALUE);
    for (const word of this.node.querySelectorAll(`.word[data-sentence="${sentence}"]`)) {
      const share = shares[word.dataset.word] / most;
      if (share < LEAST_SEEN) continue;
      word.classList.add("tinted");
      word.style.background = scale.fill(share);
      word.style.color = scale.text(share);
    }
  }

  // Scrolls this pane, and nothing around it, until the sentence or the word is seen.
  reveal(node) {
    const [outer, inner] = [this.node.getBoundingClientRect(), node.getClientRects()[0]];
    if (inner.top < outer.top) this.node.scrollTop -= outer.top - inner.top;
    else if (inner.bottom > outer.bottom) {
      this.node.scrollTop += Math.min(inner.bottom - outer.bottom, inner.top - outer.top);
    }
  }

  #streaming() {
    if (this.node.firstChild?.nodeType !== Node.TEXT_NODE) this.node.replaceChildren(document.createTextNode(""));
    return this.node.firstChild;
  }

  #write(part, runs, sentence) {
    runs.forEach(({ text, word }, i) => {
      let node = part.childNodes[i];
      if (node?.textContent !== text || (node.nodeType === Node.TEXT_NODE) !== (word === null)) {
        const made = word === null ? document.createTextNode(text) : el("span", {}, text);
        if (node) node.replaceWith(made);
        else part.append(made);
        node = made;
      }
      if (word !== null) this.#dress(node, sentence, word);
    });
    while (part.childNodes.length > runs.length) part.lastChild.remove();
  }

  #dress(node, sentence, word) {
    node.className = `word ${this.#classOf(sentence, word)}`.trim();
    Object.assign(node.dataset, { sentence, word });
  }
}

function commonLength(one, other) {
  const most = Math.min(one.length, other.length);
  let length = 0;
  while (length < most && one.charCodeAt(length) === other.charCodeAt(length)) length++;
  return length;
}
