// A small card beside what it is about. It stands in the browser's top layer, so that no pane cuts it off, and in the
// document's own coordinates, so that it scrolls with the page.

import { clamp, el } from "../dom.js";

const GAP = 6; // pixels between the card and its anchor
const EDGE = 8; // pixels that it keeps from the edges of the window

export class Card {
  #returnTo = null;
  // A mouse may have opened the card while the focus is elsewhere in the page (WCAG 1.4.13: what hovering shows can be
  // dismissed), so while it is open the whole document is listened to.
  #onKey = (event) => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    this.close();
  };

  // `onclose` is called when it has closed, `refocus(node)` to give the focus back.
  constructor(words) {
    this.node = el("div", { class: "reading-card", popover: "manual", role: "dialog", tabindex: "-1" });
    this.closer = el("button", { class: "closer", type: "button", "aria-label": words.close }, "×");
    this.closer.addEventListener("click", () => this.close());
    this.body = el("div", { class: "body" });
    this.trouble = el("p", { class: "trouble", role: "alert" });
    this.node.append(this.body, this.trouble, this.closer);
    this.anchor = null;
    this.onclose = () => {};
    this.refocus = (node) => node.focus({ preventScroll: true });
  }

  get isOpen() {
    return this.anchor !== null;
  }

  get isBusy() {
    return this.node.getAttribute("aria-busy") === "true";
  }

  set isBusy(isBusy) {
    this.node.setAttribute("aria-busy", String(isBusy));
  }

  complain(text) {
    this.trouble.textContent = text;
  }

  // `returnTo` has the focus once the card is closed, if the card had it
  open(anchor, label, content, returnTo = anchor) {
    const isAnother = anchor !== this.anchor;
    [this.anchor, this.#returnTo] = [anchor, returnTo];
    this.node.setAttribute("aria-label", label);
    this.body.replaceChildren(...content);
    [this.isBusy, this.trouble.textContent] = [false, ""];
    if (!this.node.matches(":popover-open")) this.node.showPopover();
    document.addEventListener("keydown", this.#onKey, true);
    if (isAnother) this.node.scrollTop = 0;
    this.place();
  }

  close() {
    if (!this.isOpen) return;
    this.anchor = null;
    if (this.node.contains(document.activeElement)) this.refocus(this.#returnTo);
    this.node.hidePopover();
    document.removeEventListener("keydown", this.#onKey, true);
    this.onclose();
  }

  enter() {
    (this.body.querySelector("button:not(:disabled), input") ?? this.node).focus();
  }

  // Under the anchor; above it where there is more room.
  place() {
    const { clientWidth: width, clientHeight: height } = document.documentElement;
    const at = this.anchor.getClientRects()[0];
    const [under, above] = [height - at.bottom - GAP - EDGE, at.top - GAP - EDGE];
    this.node.style.maxHeight = `${Math.max(under, above)}px`;
    const { offsetWidth, offsetHeight } = this.node;
    const top = offsetHeight <= under || under >= above ? at.bottom + GAP : at.top - GAP - offsetHeight;
    this.node.style.left = `${clamp(at.left - 14, EDGE, Math.max(EDGE, width - offsetWidth - EDGE)) + scrollX}px`;
    this.node.style.top = `${top + scrollY}px`;
  }
}
