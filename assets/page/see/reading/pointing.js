// What the reader points at, by mouse, finger or keyboard: a place {side, sentence, word}, side "malay" or "english",
// word null between words. A mouse points while it rests on a place, and nothing opens under it; a press, or the focus,
// holds the place until another is held. A press opens the card; once it is open it goes with the focus.

const LEAVE = 300; // milliseconds to get from a word to its card, or to the English

export function placeOf(node) {
  const side = node.closest?.("[data-side]")?.dataset.side;
  const word = node.closest?.(".word");
  const sentence = word ?? node.closest?.(".sentence")?.querySelector(".word");
  if (!side || !sentence) return null;
  return { side, sentence: Number(sentence.dataset.sentence), word: word ? Number(word.dataset.word) : null };
}

export class Pointing {
  #leaving = 0; // the timer
  #listening = new AbortController(); // root stays when the view goes
  #isQuiet = false;

  // `on` = {point(place or null), open(place), enter(place), dismiss()}: to show a place as pointed at; to
  // open its card; to go into the card; to close it. `card` is the card's element.
  constructor(root, card, on) {
    [this.root, this.card, this.on] = [root, card, on];
    this.held = null;
    const hear = (name, act) => root.addEventListener(name, act, { signal: this.#listening.signal });
    hear("pointerover", (event) => this.#onOver(event));
    hear("pointerleave", () => this.#leaveSoon());
    hear("click", (event) => this.#onClick(event));
    hear("focusin", (event) => this.#onFocus(event));
    hear("focusout", () => setTimeout(() => this.#onBlur()));
    hear("keydown", (event) => this.#onKey(event));
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
    this.#listening.abort();
    this.release();
  }

  #wait() {
    clearTimeout(this.#leaving);
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
  }

  #leaveSoon() {
    this.#wait();
    this.#leaving = setTimeout(() => this.on.point(this.held), LEAVE);
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
    const isOpen = this.card.matches(":popover-open");
    if (place.side === "english") this.on.dismiss();
    this.hold(place);
    if (place.side === "malay" && isOpen) this.on.open(place);
  }

  // The focus has gone elsewhere in the page
  #onBlur() {
    if (this.#listening.signal.aborted || !document.hasFocus() || this.root.contains(document.activeElement)) return;
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
