// One of the two searches: how it goes about it, and what came of it.

import { el, fill } from "../dom.js";
import { isNew } from "../differences.js";
import { mountControls } from "./controls.js";
import { figure } from "./figures.js";

// onchange(settings); onretry() and onuse() when their buttons are pressed
export function mountSide(root, { words, label, onchange, onretry, onuse }) {
  const title = el("h3");
  const status = el("span", { class: "status", role: "status" });
  const retry = el("button", { type: "button", class: "again", hidden: true, onclick: onretry }, words.again);
  const text = el("p", { class: "malay", lang: "ms" });
  const list = el("dl", { class: "figures" });
  const use = el("button", { type: "button", class: "use", onclick: onuse }, words.use);
  const node = el("section", { class: "card side", "aria-label": label });
  root.append(node);
  node.append(el("div", { class: "heading" }, title, status, retry));
  const controls = mountControls(node, { words, onchange });
  node.append(el("div", { class: "result" }, text, list), use);
  const figures = Object.fromEntries(["total", "score", "steps"].map((name) => [name, mountFigure(name)]));

  function mountFigure(name) {
    const value = el("dd");
    const term = el("dt", {}, words.figures[name]);
    list.append(el("div", { data: { name }, title: words.figureTitles[name] }, term, value));
    return value;
  }

  return {
    name(newName, settings) {
      title.textContent = newName;
      controls.show(settings);
    },
    // state: "done", "waiting", or "failed" with what the server said, if it did
    say(state, message) {
      status.textContent = state === "waiting" ? words.loading : state === "failed" ? message || words.failed : "";
      retry.hidden = state !== "failed";
      node.classList.toggle("waiting", state !== "done");
      use.disabled = state === "failed";
    },
    // The translation, with the words that the other has not; either sentence may be null
    show(sentence, other, result, numSteps) {
      const spans = sentence?.words.map(({ span }) => span) ?? [];
      const isMarked = other && sentence ? isNew(wordsOf(other), wordsOf(sentence)) : spans.map(() => false);
      let end = 0;
      const parts = spans.flatMap(([start, stop], i) => {
        const between = sentence.malay.slice(end, start);
        end = stop;
        const word = sentence.malay.slice(start, stop);
        return [between, isMarked[i] ? el("mark", { title: words.differs }, word) : word];
      });
      text.replaceChildren(...parts, sentence?.malay.slice(end) ?? "");
      figures.total.textContent = sentence ? figure(result.total) : "";
      figures.score.textContent = sentence ? figure(result.score) : "";
      figures.steps.textContent = sentence
        ? fill(words.stepsOf, { steps: numSteps, tokens: sentence.tokens.length })
        : "";
    },
  };
}

function wordsOf({ malay, words }) {
  return words.map(({ span }) => malay.slice(...span));
}
