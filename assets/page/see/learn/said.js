// The English, and what the model made of it, as running text: the fill of each Malay token is how sure the model was
// of it, that of the English how much the Malay token that is pointed at attended to it.

import { clamp, el, fill, percent } from "../dom.js";
import { leave } from "../inside/linking.js";
import { shown } from "../inside/pieces.js";
import { isEnd } from "./moments.js";

// onpoint(line, place or null): line is "english" or "malay"
export function mountSaid(root, { words, onpoint }) {
  const lines = { english: line("english", words.englishTokens), malay: line("malay", words.malayTokens) };
  const node = el("div", { class: "said" }, lines.english.node, lines.malay.node);
  root.append(node);

  function line(name, label) {
    const tokens = el("p", { class: "tokens", role: "listbox", "aria-orientation": "horizontal", "aria-label": label });
    const found = { tokens, node: el("div", { class: `line ${name}` }, tokens), nodes: [] };
    const point = ({ target }) => {
      const at = found.nodes.indexOf(target.closest(".token"));
      onpoint(name, at < 0 ? null : at);
    };
    for (const event of ["pointerover", "focusin"]) tokens.addEventListener(event, point);
    tokens.addEventListener("pointerleave", leave(() => onpoint(name, null)));
    tokens.addEventListener("focusout", () => onpoint(name, null));
    tokens.addEventListener("keydown", (event) => walk(found, event));
    return found;
  }

  function walk({ nodes }, event) {
    const moves = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity };
    if (!(event.key in moves)) return;
    event.preventDefault();
    const at = clamp(nodes.indexOf(event.target) + moves[event.key], 0, nodes.length - 1);
    holdTab(nodes, at);
    nodes[at].focus();
  }

  // One stop of the Tab key for each line
  function holdTab(nodes, at) {
    nodes.forEach((token, i) => token.setAttribute("tabindex", i === at ? 0 : -1));
  }

  // Tokens that were there already stay the same nodes, so that their fill can change gently.
  function write(line, pieces) {
    while (line.nodes.length < pieces.length) line.nodes.push(el("span", { class: "token", role: "option" }));
    line.nodes.length = pieces.length;
    line.nodes.forEach((token, i) => {
      if (token.textContent !== pieces[i]) token.textContent = pieces[i];
      token.classList.toggle("end", isEnd(pieces[i]));
    });
    const isTheSame = line.tokens.children.length === pieces.length && line.nodes.every((token) => token.parentNode);
    if (!isTheSame) line.tokens.replaceChildren(...line.nodes);
    if (!line.nodes.some((token) => token.tabIndex === 0)) holdTab(line.nodes, 0);
  }

  function paint(token, weight, scale) {
    token.style.setProperty("background-color", weight === null ? "" : scale.fill(weight));
    token.style.setProperty("color", weight === null ? "" : scale.text(weight));
  }

  return {
    // Room for each of these lists of pieces, so that going from one to another moves nothing
    reserve(all) {
      lines.malay.node.replaceChildren(
        lines.malay.tokens,
        ...all.map((pieces) => {
          const tokens = pieces.map((piece) => el("span", { class: isEnd(piece) ? "token end" : "token" }, piece));
          return el("p", { class: "tokens room", "aria-hidden": "true" }, tokens);
        }),
      );
    },
    // english, malay: pieces; probabilities and news (whether it is new) of the Malay ones
    show({ english, malay, probabilities, news }, scale) {
      write(lines.english, english);
      write(lines.malay, malay);
      lines.malay.nodes.forEach((token, i) => {
        paint(token, probabilities[i], scale);
        token.classList.toggle("new", news[i]);
        const about = { token: shown(malay[i]), share: percent(probabilities[i]) };
        token.setAttribute("aria-label", fill(news[i] ? words.newToken : words.token, about));
      });
    },
    // What is pointed at, places or null, and how much each English token was attended to, or null
    mark({ row, column }, weights, scale) {
      for (const [name, place] of [["english", column], ["malay", row]]) {
        lines[name].nodes.forEach((token, i) => {
          token.classList.toggle("pointed", i === place);
          token.setAttribute("aria-selected", String(i === place));
        });
      }
      lines.english.nodes.forEach((token, i) => paint(token, weights ? weights[i] : null, scale));
    },
  };
}
