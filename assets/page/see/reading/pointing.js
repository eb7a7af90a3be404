// What the reader points at, by mouse, finger or keyboard: a place {side, sentence, word}, side "malay" or "english",
// word null between words. A mouse points while it rests on a place; a press holds the place until another is held.

const DWELL = 450; // milliseconds that a mouse rests on a word before its card opens
const NEXT_DWELL = 120; // the same while a card is open already
const LEAVE = 300; // milliseconds to get from a word to its card, or to the English

export function placeOf(node) {
  const side = node.closest?.("[data-side]")?.dataset.side;
  const word = node.closest?.(".word");
  const sentence = word ?? node.closest?.(".sentence")?.querySelector(".word");
  if (!side || !sentence) return null;
  return { side, sentence: Number(sentence.dataset.sentence), word: word ? Number(word.dataset.word) : null };
}

export class Pointing {
  #timers = { open: 0, leave: 0 };
  #isQuiet = false;

  // `on` = {point(place or null), open(place), enter(place), dismiss()}: to show a place as pointed at; to
  // open its card; to go into the card; to close it. `card` is the card's element.
  constructor(root, card, on) {
    [this.root, this.card, this.on] = [root, card, on];
    this.held = null;
    root.addEventListener("pointerover", (event) => this.#onOver(event));
    root.addEventListener("pointerleave", () => this.#leaveSoon());
    root.addEventListener("click", (event) => this.#onClick(event));
    root.addEventListener("focusin", (event) => this.#onFocus(event));
    root.addEventListener("focusout", () => setTimeout(() => this.#onBlur()));
    root.addEventListener("keydown", (event) => this.#onKey(event));
  }

  hold(place) {
    this.held = place;
    this.on.point(place);
  }

  release() {
    this.#wait();
    this.held = null;
    this.on.point(null);
  }

  // Gives a node the focus without opening its card, as arrow keys would.
  focus(node) {
    this.#isQuiet = true;
    node.focus({ preventScroll: true });
    this.#isQuiet = false;
  }

  stop() {
    this.#wait();
  }

  #wait() {
    clearTimeout(this.#timers.open);
    clearTimeout(this.#timers.leave);
  }

  #onOver(event) {
    if (event.pointerType !== "mouse") return;
    this.#wait();
    if (this.card.contains(event.target)) return;
    const place = placeOf(event.target);
    if (place === null) {
      this.#leaveSoon();
      return;
    }
    this.on.point(place);
    if (this.#isHolding() || event.buttons) return;
    const isOpen = this.card.matches(":popover-open");
    const opens = place.side === "malay" && place.word !== null;
    if (opens || isOpen) this.#timers.open = setTimeout(() => this.#turnTo(place, opens), isOpen ? NEXT_DWELL : DWELL);
  }

  #turnTo(place, opens) {
    if (opens) {
      this.on.open(place);
      return;
    }
    this.on.dismiss();
    this.on.point(place);
  }

  #leaveSoon() {
    this.#wait();
    this.#timers.leave = setTimeout(() => {
      this.on.point(this.held);
      if (!this.#isHolding()) this.on.dismiss();
    }, LEAVE);
  }

  #isHolding() {
    return this.held !== null || this.card.contains(document.activeElement);
  }

  #onClick(event) {
    if (this.card.contains(event.target) || event.target.closest("button, input")) return;
    if (!document.getSelection().isCollapsed) return; // some text was marked
    this.#wait();
    const place = placeOf(event.target);
    if (place === null || place.word === null) {
      this.on.dismiss();
      this.release();
      return;
    }
    if (place.side === "english") this.on.dismiss();
    this.hold(place);
    this.focus(event.target.closest(".word"));
    if (place.side === "malay") this.on.open(place);
  }

  #onFocus(event) {
    const place = event.target.matches(".word") ? placeOf(event.target) : null;
    if (place === null || !event.target.matches(":focus-visible")) return;
    this.#wait();
    if (this.#isQuiet) {
      this.on.point(place);
      return;
    }
    if (place.side === "english") this.on.dismiss();
    this.hold(place);
    if (place.side === "malay") this.on.open(place);
  }

  // The focus has gone elsewhere in the page
  #onBlur() {
    if (!document.hasFocus() || this.root.contains(document.activeElement)) return;
    this.on.dismiss();
    this.release();
  }

  #onKey(event) {
    if (!event.target.matches(".word") || (event.key !== "Enter" && event.key !== " ")) return;
    event.preventDefault();
    this.hold(placeOf(event.target));
    this.on.enter(this.held);
  }
}
