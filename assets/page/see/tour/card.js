// The card of the tour: beside or below what it is about, docked at the bottom where there is no room and on phones. It
// stands in the browser's top layer, so that no pane cuts it off, and is not modal: the page goes on working.

import { clamp, el } from "../dom.js";

const GAP = 14; // pixels between the card and what it is about
const EDGE = 12; // pixels that it keeps from the edges of the window
const PHONE = 700; // pixels of width up to which it is docked

let numCards = 0; // names of what labels them

// onback(), onnext(), onend()
export class TourCard {
  #target = null;
  #returnTo = null;
  #resized = new ResizeObserver(() => this.isOpen && requestAnimationFrame(() => this.place()));

  constructor(root, { words, reducedMotion, onback, onnext, onend }) {
    const id = `see-tour-${numCards++}`;
    this.reducedMotion = reducedMotion;
    this.step = el("p", { class: "step" });
    this.title = el("h2", { id: `${id}-title` });
    this.text = el("p", { class: "text", id: `${id}-text` });
    this.count = el("span", { class: "count" });
    this.closer = el("button", { type: "button", class: "closer", "aria-label": words.end, onclick: onend }, "×");
    this.back = el("button", { type: "button", class: "back", onclick: onback }, words.back);
    this.next = el("button", { type: "button", class: "next", onclick: onnext });
    const labels = { "aria-labelledby": `${id}-title`, "aria-describedby": `${id}-text`, lang: words.lang };
    this.node = el(
      "div",
      { class: "see-tour", popover: "manual", role: "dialog", "aria-modal": "false", tabindex: -1, ...labels },
      el("div", { class: "top" }, this.step, this.closer),
      this.title,
      this.text,
      el("div", { class: "moves" }, this.count, this.back, this.next),
    );
    this.node.addEventListener("keydown", (event) => {
      const act = { ArrowLeft: onback, ArrowRight: onnext, Escape: onend }[event.key];
      if (!act || event.altKey || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      event.stopPropagation();
      act();
    });
    root.append(this.node);
  }

  get isOpen() {
    return this.node.matches(":popover-open");
  }

  open() {
    if (this.isOpen) return;
    this.#returnTo = document.activeElement;
    this.node.showPopover();
    for (const each of [this.node, document.body]) this.#resized.observe(each);
    window.addEventListener("resize", this.#onResize);
  }

  // Without taking the focus from a reader who has gone elsewhere
  close() {
    if (!this.isOpen) return;
    const isHere = this.node.contains(document.activeElement);
    this.ring(null);
    this.#makeRoom(0);
    this.#resized.disconnect();
    window.removeEventListener("resize", this.#onResize);
    this.node.hidePopover();
    if (isHere && this.#returnTo?.isConnected) this.#returnTo.focus({ preventScroll: true });
  }

  #onResize = () => this.place();

  // {step, title, text, count, back: whether one can go back, next: what the button says}
  write({ step, title, text, count, back, next }) {
    this.step.textContent = step;
    this.title.textContent = title;
    this.text.textContent = text;
    this.count.textContent = count;
    // It keeps its place, and the focus where it has it.
    this.back.setAttribute("aria-disabled", String(!back));
    this.next.textContent = next;
  }

  get target() {
    return this.#target;
  }

  // What the card is about now; null for nothing on the page
  ring(target) {
    this.#target?.classList.remove("see-tour-ring");
    this.#target = target;
    target?.classList.add("see-tour-ring");
  }

  goTo(target) {
    this.ring(target);
    this.place();
    if (target) this.#scroll();
    this.node.focus({ preventScroll: true });
  }

  place() {
    const { clientWidth: width, clientHeight: height } = document.documentElement;
    const { style } = this.node;
    const spot = this.#target?.isConnected && width > PHONE ? this.#spot(width, height) : null;
    this.node.classList.toggle("docked", spot === null);
    this.#makeRoom(spot === null ? this.node.offsetHeight + 2 * EDGE : 0);
    style.left = spot ? `${spot.left + scrollX}px` : "";
    style.top = spot ? `${spot.top + scrollY}px` : "";
  }

  // At the end of the page, so that its last part can be scrolled out from under a docked card
  #makeRoom(height) {
    document.body.style.setProperty("padding-bottom", height ? `${height}px` : "");
  }

  // In pixels of the window, or null where the two would not be in sight together
  #spot(width, height) {
    const at = this.#target.getBoundingClientRect();
    const { offsetWidth, offsetHeight } = this.node;
    const needed = offsetWidth + GAP + EDGE;
    if (at.height <= height - 2 * EDGE) {
      const top = at.top + Math.max(0, Math.min(at.height - offsetHeight, 40));
      if (width - at.right >= needed) return { left: at.right + GAP, top };
      if (at.left >= needed) return { left: at.left - GAP - offsetWidth, top };
    }
    if (at.height + GAP + offsetHeight > height - 2 * EDGE) return null;
    return { left: clamp(at.left, EDGE, Math.max(EDGE, width - offsetWidth - EDGE)), top: at.bottom + GAP };
  }

  // Brings both into sight: in the middle where there is room, from the top where there is not.
  #scroll() {
    const { clientHeight: height } = document.documentElement;
    const at = this.#target.getBoundingClientRect();
    const card = this.node.getBoundingClientRect();
    const isDocked = this.node.classList.contains("docked");
    const room = isDocked ? Math.max(card.top, height / 3) : height;
    const bottom = isDocked ? at.bottom : Math.max(at.bottom, card.bottom);
    const top = isDocked ? at.top : Math.min(at.top, card.top);
    const margin = Math.max(EDGE, (room - (bottom - top)) / 2);
    window.scrollBy({ top: top - margin, behavior: this.reducedMotion ? "instant" : "smooth" });
  }

  destroy() {
    this.close();
    this.node.remove();
  }
}
