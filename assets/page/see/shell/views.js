// The bar below the panes and what opens from it: one view at a time, fetched and drawn when it is first opened.

import { el } from "../dom.js";
import { addStyle } from "./style.js";

const NAMES = ["inside", "search", "learn", "breakit"];
const NEEDS_TRANSLATION = ["inside", "search"];
const LOAD = {
  inside: () => import("../inside.js"),
  search: () => import("../search.js"),
  learn: () => import("../learn.js"),
  breakit: () => import("../breakit.js"),
  tour: () => import("../tour.js"),
};

export class Views {
  #opened = null; // the name of the view that is open
  #mounted = {}; // name -> {view, node}
  #sentence = 0; // that is shown of a new translation
  #tour = null;

  // `words()` are those of the present language; for `host` see shell.js
  constructor(root, { words, host }) {
    [this.root, this.words, this.host] = [root, words, host];
    root.classList.add("views");
    this.draw();
  }

  // In the present language; what was open is opened again.
  draw() {
    const opened = this.#opened;
    this.#tour?.destroy();
    for (const { view } of Object.values(this.#mounted)) view.destroy();
    [this.#opened, this.#mounted, this.#tour] = [null, {}, null];
    const words = this.words();
    const button = (name) => el(
      "button",
      { type: "button", "aria-expanded": "false", "aria-controls": `view-${name}`, onclick: () => this.#toggle(name) },
      el("strong", {}, words.names[name]),
      el("span", {}, words.about[name]),
    );
    this.buttons = Object.fromEntries(NAMES.map((name) => [name, button(name)]));
    const tour = el("button", { type: "button", class: "tour-start", onclick: () => this.#startTour() }, words.tour);
    this.status = el("p", { class: "status", role: "status" });
    this.panel = el("div", { class: "panel" });
    this.root.replaceChildren(
      el("div", { class: "head" }, el("h2", {}, words.title), tour),
      el("div", { class: "choose", role: "group", "aria-label": words.title }, ...Object.values(this.buttons)),
      this.status,
      this.panel,
    );
    if (opened) this.open(opened, this.#sentence);
  }

  // The view that the address names, as in /#inside
  openAddressed() {
    const name = location.hash.slice(1);
    if (NAMES.includes(name)) this.open(name);
  }

  #toggle(name) {
    if (this.#opened === name) this.#close();
    else this.open(name);
  }

  #close() {
    this.#opened = null;
    this.#choose();
  }

  // Resolved with the root of the view when it is drawn, or with null when it could not be had.
  async open(name, sentence = 0) {
    this.#opened = name;
    if (sentence !== this.#sentence) for (const each of Object.values(this.#mounted)) each.shown = undefined;
    this.#sentence = sentence;
    this.#choose();
    try {
      const [module] = await Promise.all([LOAD[name](), addStyle(name)]);
      if (this.#opened !== name) return null;
      if (!this.#mounted[name]) this.#mount(name, module);
    } catch (error) {
      console.warn(error);
      if (this.#opened === name) this.status.textContent = this.words().unreachable;
      return null;
    }
    this.refresh();
    return this.#mounted[name].node;
  }

  #mount(name, module) {
    const node = el("section", { id: `view-${name}`, "aria-label": this.words().names[name] });
    this.panel.append(node);
    const mounts = { inside: "mountInside", search: "mountSearch", learn: "mountLearn", breakit: "mountBreakit" };
    this.#mounted[name] = { node, view: module[mounts[name]](node, this.host.context(module)), shown: undefined };
  }

  #choose() {
    for (const [name, button] of Object.entries(this.buttons)) {
      button.setAttribute("aria-expanded", String(name === this.#opened));
    }
    this.refresh();
    history.replaceState(history.state, "", this.#opened ? `#${this.#opened}` : location.pathname + location.search);
  }

  // Shows the present translation in the view that is open; the others when they are.
  refresh() {
    const { explanation, model, options } = this.host.about();
    if (!(this.#sentence < explanation?.sentences.length)) this.#sentence = 0;
    const hasSentence = Boolean(explanation?.sentences.length);
    const isWaiting = NEEDS_TRANSLATION.includes(this.#opened) && !hasSentence;
    this.status.textContent = isWaiting ? this.words().needsTranslation : "";
    for (const [name, { node }] of Object.entries(this.#mounted)) node.hidden = name !== this.#opened || isWaiting;
    const mounted = this.#mounted[this.#opened];
    this.#tour?.update();
    const shown = this.#opened === "learn" ? "the timeline" : explanation;
    if (!mounted || isWaiting || mounted.shown === shown) return;
    mounted.shown = shown;
    if (this.#opened === "learn") mounted.view.show();
    else mounted.view.show(hasSentence ? { explanation, sentence: this.#sentence, model, options } : {});
  }

  async #startTour() {
    let module = null;
    try {
      [module] = await Promise.all([LOAD.tour(), addStyle("tour")]);
    } catch (error) {
      console.warn(error);
      this.status.textContent = this.words().unreachable;
      return;
    }
    this.#tour ??= module.mountTour(this.root, {
      words: this.host.wordsOf(module),
      host: {
        explanation: () => this.host.about().explanation,
        translate: this.host.translate,
        attention: (sentence) => this.host.context(module).ask("attention", { sentence }),
        open: (name, sentence) => this.open(name, sentence),
      },
      reducedMotion: this.host.context(module).reducedMotion,
    });
    this.#tour.start();
  }
}
