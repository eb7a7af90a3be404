// One stop of the Tab key for many words: the arrow keys go from word to word (WAI-ARIA, "roving tabindex").
// Only the word that has the stop says that it is a button, so that a screen reader reads the rest as plain text.

const STOP = { role: "button", tabindex: "0", "aria-haspopup": "dialog" };

export class Roving {
  #node;
  #selector;

  constructor(node, selector) {
    [this.#node, this.#selector] = [node, selector];
    node.addEventListener("keydown", (event) => this.#onKey(event));
    node.addEventListener("click", (event) => this.moveTo(event.target.closest(selector)));
  }

  // Whoever changes the words says so: the first has the stop unless another has kept it.
  refresh() {
    if (!this.#stop()) this.moveTo(this.#words()[0]);
  }

  moveTo(word) {
    const before = this.#stop();
    if (!word || word === before) return;
    for (const name of Object.keys(STOP)) before?.removeAttribute(name);
    for (const [name, value] of Object.entries(STOP)) word.setAttribute(name, value);
  }

  #stop() {
    return this.#node.querySelector(`${this.#selector}[tabindex="0"]`);
  }

  #words() {
    return [...this.#node.querySelectorAll(this.#selector)];
  }

  #onKey(event) {
    const word = event.target.closest(this.#selector);
    if (!word || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const next = this.#next(word, event.key);
    if (next === undefined) return;
    event.preventDefault();
    this.moveTo(next);
    next.focus();
  }

  // undefined for a key that is not of ours
  #next(word, key) {
    const words = this.#words();
    const place = words.indexOf(word);
    const nextTo = { ArrowRight: words[place + 1], ArrowLeft: words[place - 1], Home: words[0], End: words.at(-1) };
    if (key in nextTo) return nextTo[key] ?? word;
    if (key === "ArrowDown") return nearest(word, words.slice(place + 1)) ?? word;
    if (key === "ArrowUp") return nearest(word, words.slice(0, place).reverse()) ?? word;
    return undefined;
  }
}

// Of the words from here on, the one of the next line that stands nearest
function nearest(word, words) {
  const from = box(word);
  let [found, line] = [undefined, undefined];
  for (const each of words) {
    const to = box(each);
    if (Math.abs(to.middle - from.middle) < from.height / 2) continue;
    line ??= to;
    if (Math.abs(to.middle - line.middle) > line.height / 2) break;
    if (!found || Math.abs(to.centre - from.centre) < Math.abs(box(found).centre - from.centre)) found = each;
  }
  return found;
}

function box(word) {
  const { left, width, top, height } = word.getClientRects()[0];
  return { centre: left + width / 2, middle: top + height / 2, height };
}
