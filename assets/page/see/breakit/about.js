// What is broken, and what to look for.

import { el } from "../dom.js";

// textOf(key) -> {name, removed, look_for}
export function mountAbout(root, { words, keys, textOf }) {
  const shown = el("div", { class: "shown", "aria-live": "polite" });
  // Each text takes its room even while it is not shown, so that one switch after another moves nothing.
  const remarkOf = (text) => el("p", { class: "remark" }, text);
  const rooms = keys.map((key) => el("div", { class: "room", "aria-hidden": "true" }, item(textOf(key)), remarkOf("")));
  root.append(el("div", { class: "about" }, shown, rooms));

  function item({ name, removed, look_for: lookFor }) {
    return el(
      "div",
      { class: "item" },
      el("div", {}, el("h4", {}, name), el("p", {}, removed)),
      el("div", {}, el("h4", {}, words.lookFor), el("p", {}, lookFor)),
    );
  }

  return {
    show(on, remark) {
      const items = on.map((key) => item(textOf(key)));
      const nothing = el("p", { class: "nothing" }, words.nothing);
      shown.replaceChildren(...(items.length > 0 ? items : [nothing]), remarkOf(remark));
    },
  };
}
