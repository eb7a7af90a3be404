// Tokens as people read them, and how words became pieces.

import { el, fill } from "../dom.js";
import { leave } from "./linking.js";

const IN_WORDS = /[\p{L}\p{N}]/u;
const VISIBLE = { " ": "·", "\n": "↵", "\t": "⇥" };

// Spaces made visible: " dog" and "dog" are two tokens.
export function shown(text) {
  return text.replace(/[ \n\t]/g, (character) => VISIBLE[character]);
}

// A sentence's tokens, each {id, label, special, text}: what the model read, and what it said; `text` is what the token
// stands for in the sentence, "" where nothing
export function readTokens(explanation, sentence) {
  const separator = sentence.source.at(-1).id;
  const read = (text) => ({ id, span }) => ({
    id,
    label: shown(explanation.pieces[id]),
    special: id === separator,
    text: span ? text.slice(...span) : "",
  });
  return { source: sentence.source.map(read(sentence.english)), tokens: sentence.tokens.map(read(sentence.malay)) };
}

// Tokens -> the words that they are pieces of, as lists of places. A word begins with its space; punctuation that ends
// it stands by itself.
export function words(tokens) {
  const found = [];
  tokens.forEach(({ label, special }, i) => {
    const begins = /^[·↵⇥]/.test(label) || (ends(i) && !IN_WORDS.test(label));
    if (i === 0 || special || begins) found.push([i]);
    else found.at(-1).push(i);
  });
  return found;

  function ends(i) {
    const next = tokens[i + 1];
    return !next || next.special || /^[·↵⇥]/.test(next.label) || (!IN_WORDS.test(next.label) && ends(i + 1));
  }
}

// Two lines of words, each a row of its pieces. `onpoint(line, place or null)`: line is "english" or "malay", places as
// on the stage.
export function mountPieces(root, { words: strings, onpoint }) {
  const lines = { english: line("english"), malay: line("malay") };
  const standIns = el("p", { class: "note" });
  const note = el("p", { class: "note" }, strings.piecesNote);
  const section = el("section", { class: "pieces" }, el("h3", {}, strings.pieces), note);
  section.append(lines.english.node, lines.malay.node, standIns);
  root.append(section);

  function line(name) {
    const count = el("span", { class: "count" });
    const list = el("span", { class: "words" });
    const node = el("div", { class: "line", data: { line: name } }, el("h4", {}, strings[name], " ", count), list);
    node.addEventListener("pointerover", ({ target }) => {
      const at = target.closest("[data-at]")?.dataset.at;
      onpoint(name, at === undefined ? null : Number(at));
    });
    node.addEventListener("pointerleave", leave(() => onpoint(name, null)));
    return { node, count, list, nodes: [] };
  }

  function write(name, tokens, first) {
    const { list, count } = lines[name];
    const groups = words(tokens);
    const piece = (i) => {
      const { id, label, text } = tokens[i];
      const isItself = text === "" || shown(text) === label;
      const title = fill(isItself ? strings.tokenId : strings.tokenFor, { id, text });
      return el("span", { class: "piece", data: { at: i + first }, title }, label);
    };
    list.replaceChildren(...groups.map((group) => el("span", { class: "word" }, group.map(piece))));
    lines[name].nodes = [...list.querySelectorAll(".piece")];
    const isWord = (i) => !tokens[i].special && IN_WORDS.test(tokens[i].label);
    const numWords = groups.filter((group) => group.some(isWord)).length;
    count.textContent = fill(strings.piecesCount, { words: numWords, tokens: tokens.length });
  }

  return {
    show(sentence, source, tokens) {
      write("english", source, 0);
      write("malay", tokens, 1);
      standIns.textContent = sentence.read === sentence.english ? "" : fill(strings.standIns, { read: sentence.read });
    },
    point({ english, malay }) {
      lines.english.nodes.forEach((node, i) => node.classList.toggle("pointed", english.includes(i)));
      lines.malay.nodes.forEach((node, i) => node.classList.toggle("pointed", malay.includes(i + 1)));
    },
  };
}
