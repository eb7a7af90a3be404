// One of the two models: what it says, and how sure it is of each token.

import { el, fill, percent } from "../dom.js";
import { mountSaid } from "../learn/said.js";

// `name` is "whole" or "broken"; onpoint(line, place or null)
export function mountSide(root, { name, words, onpoint }) {
  const title = el("h3", {}, words.sides[name]);
  const verdict = el("p", { class: "verdict", role: name === "broken" ? "status" : null });
  const readout = el("p", { class: "readout" });
  const node = el("section", { class: `card side ${name}` }, title, verdict);
  root.append(node);
  const newToken = words.differs[name];
  const strings = { englishTokens: words.englishTokens, malayTokens: words.sides[name], token: words.token, newToken };
  const said = mountSaid(node, { words: strings, onpoint });
  node.append(readout);
  let shown = null;

  function describe({ row, column }) {
    const { english, malay, sentence, pieces } = shown;
    if (row === null) return column === null ? words.hintToken : fill(words.englishToken, { token: english[column] });
    const token = sentence.tokens[row];
    const [next] = token.alternatives.filter(([id]) => id !== token.id);
    const values = { token: malay[row], share: percent(Math.exp(token.log_prob)) };
    if (!next) return fill(words.token, values);
    return fill(words.tokenNext, { ...values, other: pieces[next[0]], otherShare: percent(Math.exp(next[1])) });
  }

  return {
    // side: as malaygpt/comparing.py documents it; news: of each token, whether the other side lacks its word; rooms:
    // the pieces of both sides
    show({ side, english, malay, news, rooms, verdict: text }, scale) {
      shown = { ...side, english, malay };
      verdict.textContent = text;
      const probabilities = side.sentence.tokens.map(({ log_prob: logProb }) => Math.exp(logProb));
      said.reserve(rooms);
      said.show({ english, malay, probabilities, news }, scale);
      readout.textContent = describe({ row: null, column: null });
    },
    // weights: of the row that is pointed at, to the English; or null
    mark(pointed, weights, scale) {
      said.mark(pointed, weights, scale);
      readout.textContent = describe(pointed);
    },
  };
}
