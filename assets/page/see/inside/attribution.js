// How much likelier each choice was for what stood in each place, found by hiding each in turn: `Occlusion` of
// malaygpt/attribution.py, {source: T x S, target: T x T} in nats. It is asked for when it is first switched on, once
// for a sentence.

import { el, fill } from "../dom.js";
import { mountCheck } from "./pickers.js";

const LEAST = 0.05; // nats; what is nearer to nothing is written as nothing, and has no bar
const MOST_TIMES = 1e6;

export function isNothing(score) {
  return Math.abs(score) < LEAST;
}

// "+2.1 nats, 8.2 times likelier with it"; nats are read as factors of probability
export function say(score, words) {
  if (isNothing(score)) return fill(words.scoreNothing, { nats: "0.0" });
  const nats = `${score < 0 ? "−" : "+"}${Math.abs(score).toFixed(1)}`;
  const factor = Math.exp(Math.abs(score));
  const rounded = Number(Math.min(factor, MOST_TIMES).toPrecision(2)).toLocaleString("en");
  const times = factor > MOST_TIMES ? fill(words.moreThan, { number: rounded }) : rounded;
  return fill(score < 0 ? words.scoreAgainst : words.scoreFor, { nats, times });
}

// The place of the score that is farthest from zero, or -1 where there is none
export function strongest(scores) {
  const known = scores.flatMap((score, i) => (score === null ? [] : [i]));
  return known.reduce((best, i) => (best < 0 || Math.abs(scores[i]) > Math.abs(scores[best]) ? i : best), -1);
}

// Throws where the scores are not those of a sentence of these lengths.
function read({ source, target }, numSource, numTokens) {
  const fits = (rows, length) => rows.length === numTokens && rows.every((row) => row.length === length);
  if (!fits(source, numSource) || !fits(target, numTokens)) throw new Error("The scores are of another sentence.");
  const most = [source, target].flat(2).reduce((found, score) => Math.max(found, Math.abs(score)), Number.MIN_VALUE);
  return { source, target, most };
}

// onchange() whenever there are scores to show, or none any more
export function mountAttribution(root, { words, ask, onchange }) {
  const node = el("div", { class: "why" });
  const status = el("span", { role: "status" });
  const again = el("button", { type: "button", class: "again", onclick: () => fetchScores() }, words.again);
  const trouble = el("p", { class: "trouble" }, status, again);
  const readout = el("p", { class: "contribution" });
  const longest = el("span", {});
  const more = el("div", { class: "more" }, el("p", { class: "note" }, words.attributionNote), legend(), readout);
  node.append(el("p", { class: "caveat" }, words.caveat));
  mountCheck(node, { label: words.attribution, onchange: turn });
  node.append(trouble, more);
  root.append(node);
  let isOn = false;
  let current = null; // the sentence: {sentence, numSource, numTokens, state, scores}
  draw();

  function legend() {
    const key = (name, text) => el("span", { class: `key ${name}` }, text);
    return el("p", { class: "legend" }, key("for", words.keyFor), key("against", words.keyAgainst), longest);
  }

  function turn(on) {
    isOn = on;
    if (isOn && current && current.state === "unasked") fetchScores();
    draw();
    onchange();
  }

  async function fetchScores() {
    const asked = current; // the reader may have gone on to another when the answer comes
    asked.state = "asked";
    draw();
    try {
      const found = await ask("attribution", { sentence: asked.sentence });
      asked.scores = read(found, asked.numSource, asked.numTokens);
      asked.state = "there";
    } catch {
      asked.state = "failed";
    }
    draw();
    onchange();
  }

  function draw() {
    const state = isOn ? current?.state : "there";
    status.textContent = { asked: words.attributing, failed: words.attributionFailed }[state] ?? "";
    again.hidden = state !== "failed";
    trouble.hidden = status.textContent === "";
    more.hidden = !isOn || current?.state !== "there";
    if (!more.hidden) longest.textContent = fill(words.longest, { score: say(current.scores.most, words) });
  }

  return {
    // Another sentence
    begin(sentence, numSource, numTokens) {
      current = { sentence, numSource, numTokens, state: "unasked", scores: null };
      if (isOn) fetchScores();
      else draw();
    },
    // What row `row`, the choice of that token, owes to each place of the stage's two lines: {english, malay: scores,
    // or null where there is none, most: the largest of the sentence}. Null while they are not to be shown.
    counts(row) {
      if (!isOn || current?.state !== "there") return null;
      const { source, target, most } = current.scores;
      return { english: source[row], malay: [null, ...target[row].map((score, j) => (j < row ? score : null))], most };
    },
    // chosen: the label of the row's token; english and malay: labels; pointed: places of either line
    read(counts, { chosen, english, malay, pointed }) {
      if (!counts) return;
      const line = (template, scores, labels, at) =>
        fill(template, { row: chosen, token: labels[at], score: say(scores[at], words) });
      const both = [
        [counts.english, english, pointed.english, words.mostRead],
        [counts.malay, malay, pointed.malay, words.mostSaid],
      ];
      const isKnown = (scores) => (at) => (scores[at] ?? null) !== null;
      const told = both.flatMap(([scores, labels, places]) =>
        places.filter(isKnown(scores)).map((at) => line(words.contribution, scores, labels, at)),
      );
      const summary = both
        .filter(([scores]) => strongest(scores) >= 0)
        .map(([scores, labels, , template]) => line(template, scores, labels, strongest(scores)));
      readout.textContent = (told.length ? told : summary).join(" ");
    },
  };
}
