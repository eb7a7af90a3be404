// The tree of a search, read from `growth` of a sentence (malaygpt/growth.py), and what is certain of each node.
//
// A node is {step, kind, id, logProb, total, score, parent, children, place, until}. Its kind is "row" (went on),
// "ended" or "cut"; `score` is null but where it ended; `place` counts from 0, in the order of totals, those that were
// cut after those that stayed; `until` is the last step in which something of it stayed, Infinity where it ended or the
// search did.

// {steps: [{kept, rows, cut}], ended, winner}: kept are rows and endings, likeliest first; `ended` all endings, best
// first; `winner` is that of the translation, or null
export function readTree(sentence) {
  let before = [];
  const steps = (sentence.growth ?? []).map((growth, step) => {
    const read = (kind) => ([parent, id, logProb, total, score = null]) => {
      const node = { step, kind, id, logProb, total, score, parent: before[parent] ?? null, children: [] };
      node.parent?.children.push(node);
      return node;
    };
    const [rows, ended, cut] = [["row", "rows"], ["ended", "ended"], ["cut", "cut"]].map(([kind, name]) =>
      growth[name].map(read(kind)),
    );
    const kept = [...rows, ...ended].sort((one, other) => other.total - one.total);
    [...kept, ...cut].forEach((node, place) => Object.assign(node, { place }));
    before = rows;
    return { kept, rows, cut };
  });
  [...steps].reverse().forEach(({ kept, cut }) => [...kept, ...cut].forEach(settle));
  const ended = ranked(steps.flatMap(({ kept }) => kept.filter(({ kind }) => kind === "ended")), sentence);
  const said = sentence.tokens.map(({ id }) => id).join();
  return { steps, ended, winner: ended.find((node) => idsOf(node).join() === said) ?? null };

  function settle(node) {
    const isLast = node.step === steps.length - 1;
    if (node.kind === "ended") node.until = Infinity;
    else if (node.kind === "cut") node.until = node.step - 1;
    else node.until = isLast ? Infinity : Math.max(node.step, ...node.children.map(({ until }) => until));
    node.children.sort((one, other) => one.place - other.place);
  }
}

// Nodes from the first step to this one
export function pathTo(node) {
  const path = [];
  for (let each = node; each; each = each.parent) path.unshift(each);
  return path;
}

export function idsOf(node) {
  return pathTo(node).map(({ id }) => id);
}

export function isComplete(node, sentence) {
  return node.id === sentence.source.at(-1).id;
}

// What decode.py ranks by; `rewarded` is the length beyond which being longer gains nothing.
export function scoreOf(total, length, rewarded, penalty) {
  return total / Math.min(length, rewarded) ** penalty;
}

// Endings in decode.py's order under a length penalty, the search's own where none is given: complete ones first
export function ranked(ended, sentence, penalty = sentence.search.length_penalty) {
  const score = ({ total, step }) => scoreOf(total, step + 1, sentence.source.length, penalty);
  const isLate = (node) => Number(!isComplete(node, sentence));
  return [...ended].sort((one, other) => isLate(one) - isLate(other) || score(other) - score(one));
}

// Total and score of the translation: the search's own figures, where its ending is in the tree
export function resultOf(sentence, { winner }) {
  if (winner) return { total: winner.total, score: winner.score };
  const total = sentence.tokens.reduce((sum, { log_prob: logProb }) => sum + logProb, 0);
  const { length } = sentence.tokens;
  return { total, score: scoreOf(total, length, sentence.source.length, sentence.search.length_penalty) };
}

// How far the tree went along these ids: {node, left}: the last node on them, or null, and the step at which none of
// those that stayed was on them any more, or null where one was all along
export function follow({ steps }, ids) {
  let node = null;
  for (const [step, id] of ids.entries()) {
    const next = steps[step]?.kept.find((each) => each.parent === node && each.id === id);
    if (!next) return { node, left: step };
    node = next;
  }
  return { node, left: null };
}

// What became of a node, for the words of that name: [name, values]. Steps are counted from 1.
export function fate(node, tree, sentence) {
  if (node.kind === "cut") return whyCut(node, tree, sentence);
  if (node.kind === "ended") {
    const values = { rank: tree.ended.indexOf(node) + 1, of: tree.ended.length, score: node.score };
    return [isComplete(node, sentence) ? "ended" : "stopped", values];
  }
  if (node.step === tree.steps.length - 1) return unfinished(node, tree, sentence);
  if (tree.winner && pathTo(tree.winner)[node.step] === node) return ["wins", {}];
  if (node.until === Infinity) return ["wentOn", {}];
  const step = node.until + 2;
  const last = lastOf(tree.steps[node.until + 1]).total;
  return [node.until === node.step ? "givenUp" : "diesOut", { step, total: node.total, last }];
}

function whyCut(node, { steps }, sentence) {
  const step = node.step + 1;
  if (node.step < sentence.forced) return ["given", { step }];
  if (sentence.search.temperature !== null) return ["undrawn", { step }];
  const last = lastOf(steps[node.step]).total;
  if (node.total <= last) return ["cut", { step, place: node.place + 1, total: node.total, last }];
  return [isComplete(node, sentence) ? "lateEnd" : "barred", { step, beams: sentence.search.num_beams }];
}

// A total only falls, so that it bounds the score that could still have been reached.
function unfinished({ total }, { ended }, sentence) {
  const { length_penalty: penalty, num_hypotheses: wanted } = sentence.search;
  const { length } = sentence.source;
  const last = ended[wanted - 1];
  if (!last) return ["open", {}];
  return ["unfinished", { most: scoreOf(total, length, length, penalty), last: last.score, rank: wanted }];
}

// The last that stayed; rows, as an ending takes no place from them
function lastOf({ rows, kept }) {
  const among = rows.length > 0 ? rows : kept;
  return among.reduce((last, node) => (node.total < last.total ? node : last));
}
