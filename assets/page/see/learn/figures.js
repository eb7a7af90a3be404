// The figures of a moment in text.

import { el } from "../dom.js";
import { known } from "./moments.js";

const FIGURES = ["step", "epoch", "tokens", "seconds", "loss", "validation_loss", "chrf"];
const MINUTE = 60;
const HOUR = 3600;

// Seconds -> [[count, unit]], the two largest: 3700 -> 1 hour and 1 minute
export function duration(seconds) {
  const [hours, minutes] = [Math.floor(seconds / HOUR), Math.floor((seconds % HOUR) / MINUTE)];
  if (hours > 0) return [[hours, "hours"], [minutes, "minutes"]];
  if (minutes > 0) return [[minutes, "minutes"], [Math.floor(seconds % MINUTE), "seconds"]];
  return [[Math.round(seconds * 10) / 10, "seconds"]];
}

export function mountFigures(root, { words }) {
  const list = el("dl", { class: "figures" });
  root.append(list);
  let values = new Map();
  const format = (value, options) => value.toLocaleString(words.locale, options);
  const written = {
    step: (value) => format(value),
    epoch: (value) => format(value, { maximumFractionDigits: 2 }),
    tokens: (value) => format(value, value < 1e5 ? {} : { notation: "compact", maximumFractionDigits: 1 }),
    seconds: (value) => duration(value).map(([count, unit]) => `${format(count)} ${words.units[unit]}`).join(" "),
    loss: (value) => format(value, { minimumFractionDigits: 2, maximumFractionDigits: 2 }),
    validation_loss: (value) => format(value, { minimumFractionDigits: 2, maximumFractionDigits: 2 }),
    chrf: (value) => format(value, { minimumFractionDigits: 1, maximumFractionDigits: 1 }),
  };

  return {
    // Those that some moment of this timeline has
    reserve(timeline) {
      values = new Map(known(timeline, FIGURES).map((name) => [name, el("dd")]));
      list.replaceChildren(
        ...[...values].map(([name, value]) => el("div", { data: { name } }, el("dt", {}, words.figures[name]), value)),
      );
    },
    show(moment) {
      for (const [name, value] of values) {
        const isKnown = moment[name] !== null;
        const text = isKnown ? written[name](moment[name]) : words.unknown;
        if (value.textContent !== text) value.textContent = text;
        value.classList.toggle("unknown", !isKnown);
      }
    },
  };
}
