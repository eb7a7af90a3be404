// What can be said for certain of two searches of one sentence, from their data alone: [[name, values]], for the words
// of those names. `one` and `other` are {sentence, tree, name, text(id)}; steps are counted from 1.

import { follow, resultOf } from "./tree.js";

const SAME = 0.0005; // scores are shown to three decimals

const idsOf = ({ sentence }) => sentence.tokens.map(({ id }) => id);
const isGreedy = ({ sentence: { search } }) => search.temperature === null && search.num_beams === 1;
const isBeam = ({ sentence: { search } }) => search.num_beams > 1;
const isSample = ({ sentence: { search } }) => search.temperature !== null;

export function compare(one, other) {
  const [ids, otherIds] = [idsOf(one), idsOf(other)];
  const parting = ids.findIndex((id, i) => id !== otherIds[i]);
  const drawn = [one, other].filter(isSample).map(({ name }) => ["drawn", { name }]);
  if (parting < 0 && ids.length === otherIds.length) return [["same", {}], ...agreed(one, other), ...drawn];
  const step = parting < 0 ? Math.min(ids.length, otherIds.length) : parting;
  const found = [parted(one, other, step), kept(one, other), kept(other, one), outcome(one, other)];
  return [...found.filter(Boolean), ...drawn];
}

// Where both arrive at one sentence: whether the likeliest token each time would have led there
function agreed(one, other) {
  if (![one, other].some(isBeam)) return [];
  const passed = one.sentence.tokens.findIndex((token) => token.alternatives[0]?.[0] !== token.id);
  return passed < 0 ? [["straight", {}]] : [];
}

function parted(one, other, step) {
  const [token, otherToken] = [one, other].map(({ sentence }) => sentence.tokens[step]);
  if (!token || !otherToken) return ["cutShort", { step: step + 1 }];
  const both = [[one, token], [other, otherToken]];
  const greedy = both.find(([side, each]) => isGreedy(side) && isLikeliest(each));
  const [[first, its], [second, others]] = greedy === both[1] ? both.reverse() : both;
  const values = {
    step: step + 1,
    one: first.name,
    token: first.text(its.id),
    share: Math.exp(its.log_prob),
    other: second.name,
    otherToken: second.text(others.id),
    otherShare: Math.exp(others.log_prob),
  };
  return [greedy ? "partedGreedy" : "parted", values];
}

function isLikeliest({ id, alternatives }) {
  return alternatives[0]?.[0] === id;
}

// Whether a beam had the other's sentence among its own paths
function kept(beam, other) {
  if (!isBeam(beam) || beam.tree.steps.length === 0) return null;
  const { left } = follow(beam.tree, idsOf(other));
  const values = { beam: beam.name, other: other.name };
  if (left === null) return ["keptToo", values];
  // When the search had ended, nothing was given up.
  if (left >= beam.tree.steps.length) return ["stoppedBefore", values];
  return [left === 0 ? "neverKept" : "gaveUp", { ...values, step: left + 1 }];
}

// Scores under one length penalty compare; under two, only what they were made of.
function outcome(one, other) {
  const isOnePenalty = one.sentence.search.length_penalty === other.sentence.search.length_penalty;
  const figure = isOnePenalty && !isSample(one) && !isSample(other) ? "score" : "total";
  const [mine, others] = [one, other].map((side) => resultOf(side.sentence, side.tree)[figure]);
  if (Math.abs(mine - others) < SAME) return [`${figure}Even`, { one: one.name, other: other.name }];
  const [best, worse] = mine > others ? [one, other] : [other, one];
  const figures = { most: Math.max(mine, others), least: Math.min(mine, others) };
  return [`${figure}Best`, { best: best.name, other: worse.name, ...figures }];
}
