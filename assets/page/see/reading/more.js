// The reader's settings, what can be saved, and past translations, as a card shows them.

import { el } from "../dom.js";
import { forgetAll, pastTranslations } from "./history.js";

// `settings` is [{label, checked, onchange}], `savings` [{label, disabled, onclick}]; `onPick(english)` asks for a past
// translation again.
export function moreOf(words, settings, savings, onPick) {
  const list = el("ul", { class: "past" });
  const none = el("p", { class: "none" }, words.pastNone);
  const forget = el("button", { type: "button", class: "forget" }, words.forget);
  const refresh = () => {
    const entries = pastTranslations();
    list.replaceChildren(...entries.map((entry) => el("li", {}, past(entry, onPick))));
    [none.hidden, forget.hidden] = [entries.length > 0, entries.length === 0];
  };
  forget.addEventListener("click", () => {
    forgetAll();
    refresh();
    none.setAttribute("tabindex", "-1");
    none.focus();
  });
  refresh();
  return [
    ...settings.map(setting),
    el("div", { class: "savings" }, savings.map(({ label, ...rest }) => el("button", { type: "button", ...rest }, label))),
    el("h3", {}, words.past),
    none,
    list,
    forget,
  ];
}

function setting({ label, checked, onchange }) {
  const box = el("input", { type: "checkbox", checked, onchange: () => onchange(box.checked) });
  return el("label", { class: "setting" }, box, label);
}

function past({ english, malay }, onPick) {
  return el(
    "button",
    { type: "button", onclick: () => onPick(english) },
    el("span", { lang: "en" }, english),
    el("span", { lang: "ms", class: "malay" }, malay),
  );
}
