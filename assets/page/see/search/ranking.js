// The finished translations of a search in the order that a length penalty gives them, as it is moved.

import { el, fill } from "../dom.js";
import { figure } from "./figures.js";
import { isComplete, ranked, scoreOf } from "./tree.js";

const MOST_ROWS = 6;

export function mountRanking(root, { words }) {
  const body = el("tbody");
  const heads = ["rank", "text", "total", "length", "score"].map((name) =>
    el("th", { scope: "col", class: name }, words.columns[name]),
  );
  const note = el("p", { class: "note" });
  const remark = el("p", { class: "remark", "aria-live": "polite" });
  root.append(
    el("section", { class: "card ranking" }, el("h3", {}, words.ranking), note,
      el("div", { class: "table" }, el("table", {}, el("thead", {}, el("tr", {}, heads)), body)), remark),
  );

  function row(node, rank, { sentence, penalty, text, tree }) {
    const score = scoreOf(node.total, node.step + 1, sentence.source.length, penalty);
    const was = tree.ended.indexOf(node);
    const moved = was === rank ? "" : was > rank ? "up" : "down";
    const title = moved && fill(words.movedFrom, { rank: was + 1 });
    return el(
      "tr",
      { class: node === tree.winner ? "winner" : "" },
      el("td", { class: `rank ${moved}`, title: title || null }, String(rank + 1)),
      el("td", { class: "text", lang: "ms" }, text(node), isComplete(node, sentence) ? "" : ` (${words.unended})`),
      el("td", {}, figure(node.total)),
      el("td", {}, String(node.step + 1)),
      el("td", {}, figure(score)),
    );
  }

  return {
    // penalty: that the slider stands at, which the search may not have been made with yet
    show({ sentence, tree, penalty, text }) {
      const order = ranked(tree.ended, sentence, penalty);
      note.textContent = fill(words.formula, { penalty: penalty.toFixed(1), source: sentence.source.length });
      const all = { sentence, tree, penalty, text };
      body.replaceChildren(...order.slice(0, MOST_ROWS).map((node, rank) => row(node, rank, all)));
      const isOther = order.length > 0 && order[0] !== tree.ended[0];
      remark.textContent = order.length < 2
        ? words.onlyOne
        : isOther
          ? fill(words.wouldWin, { text: text(order[0]) })
          : words.sameFirst;
    },
  };
}
