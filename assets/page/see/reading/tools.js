// What can be done with a translation as a whole: copy it, share it, save it, see other ways to say it, find earlier
// ones.

import { el } from "../dom.js";
import { makeLink } from "./link.js";
import { moreOf } from "./more.js";
import { fileName, pairsOf, save } from "./saving.js";
import { keep, recall } from "./storage.js";

const SETTINGS = "malaygpt.reading";
const USUAL = { doubts: true, english: false };

export class Tools {
  // `on` = {say(text), others(), translate(text), settings(settings)}
  constructor(words, card, on) {
    [this.words, this.card, this.on] = [words, card, on];
    this.settings = { ...USUAL, ...recall(SETTINGS, {}) };
    this.given = { text: "", explanation: null, options: {} };
    this.note = el("p", { class: "note" });
    const opens = { "aria-haspopup": "dialog", "aria-expanded": "false" };
    this.buttons = {
      others: this.#button("others", { ...opens, onclick: () => this.#toggle("others", () => this.on.others()) }),
      more: this.#button("more", { ...opens, onclick: () => this.#toggle("more", () => this.#openMore()) }),
      share: this.#button("share", { onclick: () => this.#share() }),
      copy: this.#button("copy", { onclick: () => this.#copy() }),
    };
    this.node = el("div", { class: "tools", role: "group", "aria-label": words.tools }, this.note);
    this.node.append(...Object.values(this.buttons));
    on.settings(this.settings);
  }

  // What there is to copy, to share and to save; `explanation` is null where the text is all there is.
  give({ text, explanation, options }) {
    this.given = { text, explanation, options };
    this.buttons.others.toggleAttribute("disabled", !explanation?.sentences.length);
    this.buttons.share.toggleAttribute("disabled", !explanation?.english);
    this.buttons.copy.toggleAttribute("disabled", !text);
  }

  // Opens the card at one of the buttons.
  open(name, label, content) {
    this.card.open(this.buttons[name], label, content);
    this.card.enter();
    this.expand(name);
  }

  // Says which button's card is open: null for none.
  expand(name) {
    for (const each of ["others", "more"]) this.buttons[each].setAttribute("aria-expanded", String(each === name));
  }

  #button(name, attributes) {
    return el("button", { type: "button", class: name, ...attributes }, this.words[name]);
  }

  #toggle(name, open) {
    if (this.card.anchor === this.buttons[name]) this.card.close();
    else open();
  }

  #openMore() {
    const setting = (name, label) => ({
      label,
      checked: this.settings[name],
      onchange: (checked) => this.#set(name, checked),
    });
    const settings = [setting("doubts", this.words.doubts), setting("english", this.words.keepEnglish)];
    this.open("more", this.words.more, moreOf(this.words, settings, this.#savings(), (text) => {
      this.card.close();
      this.on.translate(text);
    }));
  }

  #savings() {
    const { text, explanation } = this.given;
    const name = (ending) => fileName(text, this.words.fileName, ending);
    const tsv = "text/tab-separated-values";
    return [
      { label: this.words.save, disabled: !text, onclick: () => save(name("txt"), text, "text/plain") },
      {
        label: this.words.savePairs,
        disabled: !explanation?.sentences.length,
        onclick: () => save(name("tsv"), pairsOf(explanation), tsv),
      },
    ];
  }

  #set(name, value) {
    this.settings[name] = value;
    keep(SETTINGS, this.settings);
    this.on.settings(this.settings);
  }

  async #copy() {
    this.on.say((await written(this.given.text)) ? this.words.copied : this.words.copyFailed);
  }

  async #share() {
    const { explanation, options } = this.given;
    const link = makeLink(location.href, { text: explanation.english, options, lang: this.words.lang });
    if (await written(link)) {
      this.on.say(this.words.shared);
      return;
    }
    const field = el("input", { class: "link", readonly: true, "aria-label": this.words.link, value: link });
    this.open("share", this.words.link, [el("h3", {}, this.words.link), field]);
    field.select();
  }
}

async function written(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
