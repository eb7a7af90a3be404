// The two lines of tokens: the English that was read, and the Malay as far as the replay has come, with arcs between
// them. Behind each token is how much the choice that is shown attended to it.

import { mountArcs } from "../arcs.js";
import { clamp, el, fill, percent } from "../dom.js";
import { isNothing, say } from "./attribution.js";
import { CLS, leave } from "./linking.js";

const LEAST_SHOWN = 0.05; // smaller weights are not written out

// onpoint(line, place or null), onstep(step); places of the Malay line are one more than tokens, after [CLS]
export function mountStage(root, { words, onpoint, onstep }) {
  const english = el("div", { class: "tokens english", role: "toolbar", "aria-label": words.englishTokens });
  const malay = el("div", { class: "tokens malay", role: "toolbar", "aria-label": words.malayTokens });
  const lines = { english, malay };
  const englishTitle = el("h3", {}, words.english, el("span", { class: "what" }));
  const malayTitle = el("h3", {}, words.malay, el("span", { class: "what" }));
  const node = el("section", { class: "stage", "aria-label": words.stage });
  const arcs = mountArcs(node);
  node.append(englishTitle, english, el("div", { class: "between" }), malay, malayTitle);
  root.append(node);
  const nodes = { english: [], malay: [] };
  let last = null; // what was shown, to draw it anew when the room changes
  const resized = new ResizeObserver(() => last && drawArcs(last));
  resized.observe(node);

  for (const [name, line] of Object.entries(lines)) {
    const at = (event) => nodes[name].indexOf(event.target.closest(".token"));
    const point = (event) => onpoint(name, at(event) < 0 ? null : at(event));
    line.addEventListener("pointerover", point);
    line.addEventListener("focusin", point);
    line.addEventListener("pointerleave", leave(() => onpoint(name, null)));
    line.addEventListener("focusout", () => onpoint(name, null));
    line.addEventListener("keydown", (event) => walk(name, event));
  }
  malay.addEventListener("click", (event) => {
    const at = nodes.malay.indexOf(event.target.closest(".token"));
    if (at > 0) onstep(at - 1);
  });

  // The arrow keys walk along a line; of the Malay, the replay walks with them.
  function walk(name, event) {
    const moves = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity };
    if (!(event.key in moves)) return;
    event.preventDefault();
    event.stopPropagation();
    const first = name === "malay" ? 1 : 0;
    const at = clamp(nodes[name].indexOf(event.target) + moves[event.key], first, nodes[name].length - 1);
    if (name === "malay") onstep(at - 1);
    holdTab(name, at);
    nodes[name][at].focus();
  }

  // One stop of the Tab key for each line
  function holdTab(name, at) {
    nodes[name].forEach((token, i) => token.setAttribute("tabindex", i === at ? 0 : -1));
  }

  function token(label) {
    return el(
      "button",
      { type: "button", class: "token", tabindex: -1 },
      el("span", { class: "label" }, label),
      el("span", { class: "share" }),
      el("span", { class: "attribution", "aria-hidden": "true" }),
    );
  }

  function shade(name, weights, { source, tokens, scale, pointed, hides, step, counts }) {
    const labelled = name === "english" ? source : [CLS, ...tokens];
    nodes[name].forEach((each, i) => {
      const weight = weights[i] ?? null;
      const isHidden = hides && labelled[i].special;
      const isKnown = weight !== null && !isHidden;
      each.style.setProperty("background-color", isKnown ? scale.fill(weight) : scale.card);
      each.style.setProperty("color", isKnown ? scale.text(weight) : "");
      each.children[1].textContent = isKnown && weight >= LEAST_SHOWN ? percent(weight) : "";
      each.classList.toggle("aside", isHidden);
      each.classList.toggle("pointed", pointed[name].includes(i));
      const isLater = name === "malay" && i > step + 1;
      each.classList.toggle("later", isLater);
      const attended = isKnown ? fill(words.attended, { share: percent(weight) }) : isLater ? words.notYet : null;
      const score = counts?.[name][i] ?? null;
      const details = [labelled[i].label, attended, score === null ? null : say(score, words)];
      each.setAttribute("aria-label", details.filter((detail) => detail !== null).join(", "));
      raise(each.lastChild, score, counts?.most);
    });
  }

  // A bar of attribution, as high as its score among the largest of the sentence
  function raise(bar, score, most) {
    bar.hidden = score === null || isNothing(score);
    if (bar.hidden) return;
    bar.style.setProperty("--share", Math.abs(score) / most);
    bar.classList.toggle("against", score < 0);
  }

  function drawArcs({ row, cross, pointed, scale }) {
    arcs.show(nodes.english, nodes.malay[row + 1], cross, pointed.english, scale);
  }

  return {
    // A sentence's tokens
    write(source, tokens) {
      nodes.english = source.map(({ label }) => token(label));
      nodes.malay = [CLS, ...tokens].map(({ label }) => token(label));
      english.replaceChildren(...nodes.english);
      malay.replaceChildren(...nodes.malay);
      last = null;
      holdTab("english", 0);
    },
    // row: the choice that is shown, `step` unless another is pointed at; cross and decoder: its weights on each line;
    // counts: what that choice owes to each place, as mountAttribution gives it, or null; titles: {english, malay} that
    // say which attention it is
    show(state) {
      const { step, row, cross, decoder, counts, titles } = state;
      node.classList.toggle("attributing", counts !== null);
      englishTitle.lastChild.textContent = titles.english;
      malayTitle.lastChild.textContent = titles.malay;
      shade("english", cross, state);
      shade("malay", decoder.slice(0, row + 1), state);
      nodes.malay.forEach((each, i) => {
        each.classList.toggle("chosen", i === step + 1);
        each.toggleAttribute("aria-current", false);
        if (i === step + 1) each.setAttribute("aria-current", "step");
      });
      holdTab("malay", step + 1);
      last = state;
      drawArcs(state);
    },
    destroy: () => resized.disconnect(),
  };
}
