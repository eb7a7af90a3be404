// The replay's controls: play and pause, a step back and forth, and the scrubber.

import { el, fill } from "../dom.js";
import { MILLISECONDS_A_STEP, atStart, replay } from "../replay.js";

// onstep(step) after every change of step
export function mountPlayer(root, { words, onstep }) {
  let state = atStart(0);
  let timer = null;
  let label = () => "";
  const button = (name, text, event) =>
    el("button", { type: "button", class: name, "aria-label": text, title: text, onclick: () => happen(event) });
  const previous = button("previous", words.previous, "previous");
  const play = button("play", words.play, "toggle");
  const next = button("next", words.next, "next");
  const scrubber = el("input", { type: "range", min: 0, max: 0, value: 0, "aria-label": words.scrubber });
  const count = el("span", { class: "count", "aria-hidden": "true" });
  scrubber.addEventListener("input", () => happen("go", Number(scrubber.value)));
  const parts = [previous, play, next, scrubber, count];
  root.append(el("div", { class: "player", role: "group", "aria-label": words.replay }, parts));

  function happen(event, value) {
    const before = state;
    state = replay(state, event, value);
    clearTimeout(timer);
    if (state.playing) timer = setTimeout(() => happen("tick"), MILLISECONDS_A_STEP);
    draw();
    if (state.step !== before.step) onstep(state.step);
  }

  function draw() {
    const { step, numSteps, playing } = state;
    scrubber.max = Math.max(0, numSteps - 1);
    scrubber.value = step;
    const position = { step: step + 1, steps: numSteps, token: label(step) };
    scrubber.setAttribute("aria-valuetext", fill(words.stepValue, position));
    count.textContent = `${step + 1} / ${numSteps}`;
    // Not `disabled`, which would take the focus from a button that brought the replay to its end
    previous.setAttribute("aria-disabled", String(step === 0));
    next.setAttribute("aria-disabled", String(step >= numSteps - 1));
    play.classList.toggle("playing", playing);
    for (const name of ["aria-label", "title"]) play.setAttribute(name, playing ? words.pause : words.play);
  }

  return {
    happen,
    // labelOf(step): the token that is chosen there, for screen readers
    start(numSteps, step, labelOf) {
      label = labelOf;
      clearTimeout(timer);
      state = replay(atStart(numSteps), "go", step);
      draw();
    },
    step: () => state.step,
    destroy: () => clearTimeout(timer),
  };
}

// Lets the arrow keys, Home, End and Space steer a player from anywhere in a view but where they mean something already.
export function steer(node, player, onescape) {
  node.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "Escape") return onescape();
    const hasOwn = event.key === " " ? "input, select, a, summary, button" : "input, select, a, summary";
    if (event.target.closest(hasOwn)) return;
    const happens = { ArrowLeft: "previous", ArrowRight: "next", Home: "first", End: "last", " ": "toggle" }[event.key];
    if (!happens) return;
    event.preventDefault();
    player.happen(happens);
  });
}
