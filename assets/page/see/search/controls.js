// How one of the two searches goes about it: beams or sampling, and what each is set with.

import { el } from "../dom.js";
import { mountRadios } from "../inside/pickers.js";
import { DEFAULTS } from "./options.js";

const MOST_SEED = 1_000_000;
const SLIDERS = {
  beams: { num_beams: { min: 1, max: 8, step: 1 }, length_penalty: { min: 0, max: 2, step: 0.1 } },
  sampling: {
    temperature: { min: 0.1, max: 2, step: 0.1 },
    top_k: { min: 0, max: 50, step: 1 },
    top_p: { min: 0.05, max: 1, step: 0.05 },
  },
};

// onchange(settings) as options.js documents them, at every move
export function mountControls(root, { words, onchange }) {
  let settings = null;
  const node = el("div", { class: "controls" });
  root.append(node);
  const ways = mountRadios(node, { legend: words.way, onchange: (way) => change({ way }) });
  const rooms = el("div", { class: "rooms" });
  node.append(rooms);
  const sliders = {};
  const groups = Object.fromEntries(Object.entries(SLIDERS).map(([way, each]) => [way, mountGroup(each)]));
  const seed = el("input", { type: "number", min: 0, max: MOST_SEED, step: 1, "aria-label": words.settings.seed });
  // An empty field, or what is no seed, is a number being typed.
  seed.addEventListener("input", () => {
    if (seed.value !== "" && seed.checkValidity()) change({ seed: Number(seed.value) });
  });
  const draw = el("button", { type: "button", class: "quiet" }, words.draw);
  draw.addEventListener("click", () => change({ seed: Math.floor(MOST_SEED * Math.random()) }));
  groups.sampling.append(el("div", { class: "seed" }, el("label", {}, words.settings.seed, seed), draw));

  function mountGroup(each) {
    const group = el("div", { class: "group" }, Object.entries(each).map(([name, range]) => mountSlider(name, range)));
    rooms.append(group);
    return group;
  }

  function mountSlider(name, range) {
    const value = el("output", { class: "value" });
    const input = el("input", { type: "range", ...range, "aria-label": words.settings[name], data: { name } });
    input.addEventListener("input", () => change({ [name]: Number(input.value) }));
    sliders[name] = { input, value };
    return el("label", { class: "slider" }, el("span", {}, words.settings[name]), input, value);
  }

  function change(some) {
    const before = settings;
    show({ ...settings, ...some });
    if (JSON.stringify(before) !== JSON.stringify(settings)) onchange(settings);
  }

  function show(given) {
    settings = given;
    ways.show(Object.entries(words.ways), settings.way);
    for (const [name, { input, value }] of Object.entries(sliders)) {
      const text = textOf(name, settings[name]);
      input.value = settings[name];
      input.setAttribute("aria-valuetext", text);
      value.textContent = text;
    }
    if (document.activeElement !== seed) seed.value = settings.seed;
    for (const [way, group] of Object.entries(groups)) {
      group.classList.toggle("room", way !== settings.way); // keeps its place, so that nothing moves
      group.inert = way !== settings.way;
    }
  }

  function textOf(name, value) {
    if (name === "num_beams" && value === 1) return words.oneBeam;
    if (name === "top_k" && value === DEFAULTS.top_k) return words.allTokens;
    if (name === "num_beams" || name === "top_k") return String(value);
    return value.toFixed(name === "top_p" ? 2 : 1);
  }

  return { show };
}
