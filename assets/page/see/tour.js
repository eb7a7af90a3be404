// The guided tour: from tokens to the source, on the reader's own sentence, in the views that the page opens for it.
//
// mountTour(root, {words, host, reducedMotion}) -> {start(), update(), destroy()}. `host` is the page:
//   explanation()         the present Explanation (malaygpt/explain.py), or null
//   translate(text)       a Promise, resolved when there is one; asked of an example where the reader has no text
//   open(view, sentence)  a Promise of the root of "inside", "search", "learn" or "breakit", then in sight and showing
//                         this sentence
//   attention(sentence)   where the page has it: a Promise of attention_json() of a sentence of the present Explanation
// update() tells that there is another Explanation. At root, "tourend" is dispatched when the reader ends it.

import { fill } from "./dom.js";
import { TourCard } from "./tour/card.js";
import { factsOf, sentenceOf } from "./tour/facts.js";
import { STOPS, findStop } from "./tour/stops.js";

export { ENGLISH, MALAY } from "./tour.words.js";

export function mountTour(root, { words, host, reducedMotion }) {
  const card = new TourCard(root, {
    words,
    reducedMotion,
    onback: () => state.at > 0 && go(state.at - 1),
    onnext: () => (state.at < STOPS.length - 1 ? go(state.at + 1) : end()),
    onend: () => end(),
  });
  const state = { at: 0, turn: 0, explanation: null, number: 0, attention: null };

  function end() {
    state.turn++;
    card.close();
    root.dispatchEvent(new CustomEvent("tourend", { bubbles: true }));
  }

  function start() {
    card.open();
    return go(0);
  }

  // The last of these that was called counts: a reader may press Next before a view is there.
  async function go(at) {
    const turn = ++state.turn;
    const isPast = () => turn !== state.turn;
    try {
      if (!isTold(host.explanation())) {
        say(words.waiting);
        await host.translate(words.example);
        if (isPast()) return;
      }
      if (!isTold(host.explanation())) throw new Error("There is no translation to show.");
      learn(host.explanation());
      const stop = STOPS[at];
      const view = await host.open(stop.view, state.number);
      if (isPast()) return;
      const found = await findStop(view, stop);
      if (isPast()) return;
      choose(view, stop);
      if (found instanceof HTMLDetailsElement) found.open = true;
      state.at = at;
      tell();
      card.goTo(found);
    } catch {
      if (!isPast()) state.at = at - 1; // Next tries again
      if (!isPast()) say(words.failed);
    }
  }

  function isTold(explanation) {
    return explanation !== null && sentenceOf(explanation) >= 0;
  }

  // What is said follows the translation; the attention comes when it comes.
  function learn(explanation) {
    if (explanation === state.explanation) return;
    Object.assign(state, { explanation, number: sentenceOf(explanation), attention: null });
    host.attention?.(state.number).then(
      (attention) => {
        if (explanation !== state.explanation) return;
        state.attention = attention;
        if (card.target) tell();
      },
      () => {}, // it is told without
    );
  }

  function choose(view, { attention }) {
    const input = attention && view.querySelector(`.attention input[value="${attention}"]`);
    if (input && !input.checked) input.click();
  }

  function tell() {
    const { name } = STOPS[state.at];
    const { step, title, text } = words.stops[name];
    const facts = counted(factsOf(state.explanation, state.number, state.attention), words.counts);
    const isLast = state.at === STOPS.length - 1;
    card.write({
      step,
      title,
      text: written(text, facts),
      count: fill(words.count, { number: state.at + 1, of: STOPS.length }),
      back: state.at > 0,
      next: isLast ? words.done : words.next,
    });
  }

  function say({ title, text }) {
    card.write({ step: "", title, text, count: "", back: false, next: words.next });
    card.goTo(null);
  }

  return {
    start,
    // Another translation: the reader's own doing, so the focus stays where it is
    update() {
      if (!card.isOpen || !card.target || !isTold(host.explanation())) return;
      learn(host.explanation());
      tell();
      card.place();
    },
    destroy() {
      state.turn++;
      state.explanation = null;
      card.destroy();
    },
  };
}

// Numbers with what they count, in the singular and the plural of the language
function counted(facts, counts) {
  const phrase = (name, count) => fill(counts[name][count === 1 ? 0 : 1], { count });
  const isCount = (name, value) => name in counts && value !== null;
  return Object.fromEntries(
    Object.entries(facts).map(([name, value]) => [name, isCount(name, value) ? phrase(name, value) : value]),
  );
}

// Sentences with their {names} filled in; those that name what is not known are left out. "23 %" stays on one line.
function written(sentences, facts) {
  const isKnown = (sentence) => [...sentence.matchAll(/\{(\w+)\}/g)].every(([, name]) => facts[name] !== null);
  return sentences.filter(isKnown).map((sentence) => fill(sentence, facts)).join(" ").replaceAll(" %", "\u00a0%");
}
