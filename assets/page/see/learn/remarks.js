// What can be said for certain of a moment, from the timeline alone: [[name, values]], for the words of those names.

import { isNew } from "../differences.js";
import { isEnd, mean } from "./moments.js";

const LEAST_PIECES = 4; // in a row; figures such as 1000 may well repeat a piece three times
const LEAST_WORDS = 2;

// How the translation looks by itself, and how it stands to the others: at most two remarks
export function remarks(timeline, moment, probe) {
  const said = timeline.moments[moment].translations[probe];
  return [form(said), alike(timeline, moment, probe) ?? course(timeline, moment, probe)].filter(Boolean);
}

function form({ text, pieces }) {
  if (text.trim() === "") return ["nothing", {}];
  const run = longestRun(text, pieces);
  if (run) return ["repeats", run];
  return isEnd(pieces.at(-1)) ? null : ["cut", { count: pieces.length }];
}

// The word, else the piece, that is said most often in a row: {text, count}, or null where none is repeated
export function longestRun(text, pieces) {
  const words = text.toLowerCase().match(/\S+/gu) ?? [];
  const bare = words.map((word) => word.replace(/\p{P}+$/u, ""));
  const word = run(words, (i) => words[i] === bare[i + 1] && words[i] === bare[i]);
  const piece = run(pieces, (i) => pieces[i] === pieces[i + 1]);
  if (word.count >= LEAST_WORDS && word.count >= piece.count) return { text: bare[word.from], count: word.count };
  return piece.count >= LEAST_PIECES ? { text: pieces[piece.from].trim(), count: piece.count } : null;
}

// The longest stretch in which each item but the last goes on as its next
function run(items, goesOn) {
  let longest = { from: 0, count: 0 };
  for (let from = 0, i = 0; i < items.length; i++) {
    if (i - from + 1 > longest.count) longest = { from, count: i - from + 1 };
    if (!goesOn(i)) from = i + 1;
  }
  return longest;
}

// Whether other sentences have the very same translation
function alike({ moments, probes }, moment, probe) {
  const { translations } = moments[moment];
  const same = translations.filter(({ text }) => text === translations[probe].text).length;
  return same > 1 ? ["alike", { count: same, of: probes.length }] : null;
}

// How it stands to the moments before and after
function course({ moments }, moment, probe) {
  if (moment === 0) return null;
  const all = moments.map(({ translations }) => translations[probe]);
  const [before, now] = [all[moment - 1], all[moment]];
  const isSame = before.text === now.text;
  const isLast = moment === all.length - 1;
  const staysTheSame = !isLast && all.slice(moment).every(({ text }) => text === now.text);
  if (isSame && isLast) return ["since", { step: moments[firstOf(all, moment)].step }];
  if (staysTheSame) return [isSame ? "settled" : "settles", {}];
  if (isSame) return ["unchanged", {}];
  const fresh = isNew(before.pieces, now.pieces).filter(Boolean).length;
  return fresh > 0 ? ["changed", { count: fresh, of: now.pieces.length }] : ["shorter", {}];
}

// The first of the moments that have had this translation without a break
function firstOf(all, moment) {
  let first = moment;
  while (first > 0 && all[first - 1].text === all[moment].text) first--;
  return first;
}

// What a whole map of cross-attention shows, if that is plain: [name, {share, column}] or null
export function attentionRemark({ rows, columns, weights }) {
  const most = Math.max(...weights);
  if (columns > 2 && most <= 2 / columns) return ["even", { share: most }];
  const sums = Array.from({ length: columns }, (_, column) => {
    return mean(Array.from({ length: rows }, (__, row) => weights[row * columns + column]));
  });
  const share = Math.max(...sums);
  return share > 0.5 ? ["oneColumn", { share, column: sums.indexOf(share) }] : null;
}
