// The Search view: two searches of one sentence beside each other, greedy against beams to begin with; the tree of
// either, step by step, with what was cut when; and what temperature, top-k, top-p and the length penalty do.
//
// show({explanation, sentence, options}): explanation as malaygpt/explain.py documents it, or null; `sentence` a number
// in it; `options` that the page translates with, SearchOptions by name, those that are not the default. The same
// sentence shown again leaves the searches as the reader set them, unless the page has come to other options.
//
// Asks ask("search", {text, options}) for an Explanation of one sentence. "Translate with these" makes a CustomEvent
// "options" on root, whose detail is the options that are not the default.

import { el, fill, percent } from "./dom.js";
import { mountRadios } from "./inside/pickers.js";
import { shown } from "./inside/pieces.js";
import { mountPlayer, steer } from "./inside/player.js";
import { readScale, watchThemes } from "./scale.js";
import { mountBeamTree, told } from "./search/beamtree.js";
import { figure, written } from "./search/figures.js";
import { mountNext } from "./search/next.js";
import { GREEDY, differing, isSame, optionsOf, settingsOf } from "./search/options.js";
import { mountRanking } from "./search/ranking.js";
import { compare } from "./search/remarks.js";
import { mountSide } from "./search/side.js";
import { fate, idsOf, readTree, resultOf } from "./search/tree.js";

export { ENGLISH, MALAY } from "./search.words.js";

const PATIENCE = 200; // milliseconds without a move before the server is asked
const SIDES = ["left", "right"];

export function mountSearch(root, { words, ask, reducedMotion }) {
  const node = el("div", { class: "search" });
  node.classList.toggle("still", Boolean(reducedMotion));
  root.append(node);
  const state = { explanation: null, sentence: 0, options: {}, selected: "right", drawn: null };

  const picker = el("select", { onchange: () => pick(Number(picker.value)) });
  const pickerLabel = el("label", { class: "sentence" }, words.sentence, picker);
  const empty = el("p", { class: "status", role: "status" });
  const body = el("div", { class: "body", hidden: true });
  node.append(pickerLabel, empty, body);
  const pair = el("div", { class: "pair" });
  const sides = Object.fromEntries(SIDES.map((name) => [name, mountBoth(name)]));
  const remark = el("p", { class: "remark" });
  const happened = el("section", { class: "card happened", "aria-live": "polite" });
  happened.append(el("h3", {}, words.happened), remark);

  const treeCard = el("section", { class: "card tree" });
  const top = el("div", { class: "top" }, el("h3", {}, words.tree));
  const chosen = mountRadios(top, { legend: words.treeOf, onchange: select });
  const noTree = el("p", { class: "no-tree", hidden: true }, words.noTree);
  const treeBody = el("div", { class: "tree-body" });
  treeCard.append(top, noTree, treeBody);
  const player = mountPlayer(treeBody, { words, onstep: () => changeStep() });
  const beamTree = mountBeamTree(treeBody, { words, onpoint: (at) => say(at), describe: (at) => lines(at).label });
  const readout = el("p", { class: "readout" });
  const keys = Object.entries(words.legend).map(([name, text]) => el("span", { class: `key ${name}` }, text));
  const listed = el("details", { class: "in-words", ontoggle: () => tellTree() }, el("summary", {}, words.inWords));
  treeBody.append(readout, el("p", { class: "note keys" }, keys), el("p", { class: "note" }, words.treeNote), listed);
  const columns = el("div", { class: "columns" });
  body.append(pair, happened, treeCard, columns);
  const next = mountNext(columns, { words });
  const ranking = mountRanking(columns, { words });

  steer(node, player, () => beamTree.clear());
  const themes = watchThemes(() => beamTree.restyle(readScale(node)));

  function mountBoth(name) {
    const view = mountSide(pair, {
      words,
      label: words[name],
      onchange: (settings) => change(name, settings),
      onretry: () => search(name),
      onuse: () => root.dispatchEvent(new CustomEvent("options", { bubbles: true, detail: differing(wanted(name)) })),
    });
    return { view, settings: null, found: null, asked: null, timer: null };
  }

  function show({ explanation, sentence = 0, options = {} }) {
    const before = state.explanation?.sentences[state.sentence]?.english;
    const text = explanation?.sentences[sentence]?.english;
    const isBegun = sides.right.settings !== null;
    const isNewWay = !SIDES.some((name) => isBegun && isSame(differing(wanted(name)), options));
    Object.assign(state, { explanation, sentence, options });
    body.hidden = text === undefined;
    empty.textContent = text === undefined ? words.empty : "";
    showPicker();
    if (text === undefined) return SIDES.forEach(forget);
    if (!isBegun) sides.left.settings = settingsOf(GREEDY);
    if (isNewWay) sides.right.settings = settingsOf(options);
    const isSameText = before === text;
    for (const name of SIDES) {
      const isLeft = isSameText && !(isNewWay && name === "right") && (sides[name].found || sides[name].asked);
      if (!isLeft) begin(name, !isSameText);
    }
    return drawBoth();
  }

  function pick(sentence) {
    show({ ...state, sentence });
  }

  function showPicker() {
    const sentences = state.explanation?.sentences ?? [];
    pickerLabel.hidden = sentences.length < 2;
    const texts = sentences.map(({ english }, i) => fill(words.sentenceOption, { number: i + 1, text: english }));
    picker.replaceChildren(...texts.map((text, i) => el("option", { value: i }, text)));
    picker.value = String(state.sentence);
  }

  function wanted(name) {
    return optionsOf(sides[name].settings);
  }

  // What the page has already is not asked for, unless its reader chose a token of it.
  function begin(name, isOtherText) {
    forget(name, isOtherText);
    const here = state.explanation.sentences[state.sentence];
    if (!here.growth || here.forced > 0 || !isSame(here.search, wanted(name))) return search(name);
    return receive(name, { sentence: here, pieces: state.explanation.pieces });
  }

  function forget(name, isOtherText = true) {
    clearTimeout(sides[name].timer);
    sides[name].asked = null;
    if (isOtherText) sides[name].found = null;
  }

  function change(name, settings) {
    const side = sides[name];
    side.settings = settings;
    forget(name, false);
    side.asked = {};
    side.view.say("waiting");
    side.timer = setTimeout(() => search(name), PATIENCE);
    drawNames();
    happened.classList.add("waiting");
    dim();
    if (name === state.selected) drawLive();
  }

  async function search(name) {
    const asked = {};
    sides[name].asked = asked;
    sides[name].view.say("waiting");
    dim();
    const text = state.explanation.sentences[state.sentence].english;
    let answer = null;
    let trouble = "";
    try {
      answer = await ask("search", { text, options: differing(wanted(name)) });
    } catch (error) {
      trouble = error.message;
    }
    if (sides[name].asked !== asked) return;
    const sentence = answer?.sentences[0];
    if (sentence) receive(name, { sentence, pieces: answer.pieces });
    else sides[name].view.say("failed", trouble);
  }

  function receive(name, { sentence, pieces }) {
    const text = (id) => shown(pieces[id]);
    Object.assign(sides[name], { found: { sentence, pieces, text, tree: readTree(sentence) }, asked: null });
    sides[name].view.say("done");
    drawBoth();
    if (name === state.selected) drawTree();
  }

  function select(name) {
    state.selected = name;
    drawTree();
  }

  function nameOf({ way, num_beams: beams, length_penalty: penalty, temperature }) {
    if (way === "sampling") return fill(words.samplingAt, { temperature: temperature.toFixed(1) });
    if (beams === 1) return words.greedy;
    return fill(penalty === 1 ? words.beamOf : words.beamWith, { beams, penalty: penalty.toFixed(1) });
  }

  function drawNames() {
    for (const { view, settings } of Object.values(sides)) view.name(nameOf(settings), settings);
    chosen.show(SIDES.map((name) => [name, nameOf(sides[name].settings), words[name]]), state.selected);
  }

  function drawBoth() {
    drawNames();
    const { left, right } = sides;
    for (const [side, other] of [[left, right], [right, left]]) {
      const { sentence = null, tree } = side.found ?? {};
      const result = sentence && resultOf(sentence, tree);
      const numSteps = tree?.steps.length || sentence?.tokens.length;
      side.view.show(sentence, other.found?.sentence ?? null, result, numSteps);
    }
    const isBoth = left.found && right.found && !left.asked && !right.asked;
    happened.classList.toggle("waiting", !isBoth);
    dim();
    if (!isBoth) return;
    const [one, other] = [left, right].map(({ found, settings }) => ({ ...found, name: nameOf(settings) }));
    remark.textContent = compare(one, other).map((each) => written(words.remarks, each)).join(" ");
  }

  // Of a search that is not made yet there is nothing; a tree that waits for another can still be looked at.
  function dim() {
    const { found, asked } = sides[state.selected];
    if (!found) player.happen("pause");
    treeBody.inert = !found;
    treeCard.classList.toggle("waiting", !found || Boolean(asked));
    columns.classList.toggle("waiting", !found);
  }

  function drawTree() {
    const { found } = sides[state.selected];
    dim();
    if (!found) return;
    const { tree, sentence } = found;
    noTree.hidden = tree.steps.length > 0;
    treeBody.hidden = tree.steps.length === 0;
    const numSteps = tree.steps.length || sentence.tokens.length;
    const label = (step) => sentence.tokens[step] ? found.text(sentence.tokens[step].id) : "";
    // Who is looking at a step goes on doing so while the settings change.
    const stays = state.drawn?.english === sentence.english && player.step() < state.drawn.numSteps - 1;
    const at = stays ? Math.min(player.step(), numSteps - 1) : numSteps - 1;
    const fromStart = !state.drawn || state.drawn.english !== sentence.english;
    state.drawn = { english: sentence.english, numSteps };
    player.start(numSteps, at, label);
    if (tree.steps.length > 0) {
      beamTree.show({ tree, label: ({ id }) => found.text(id), scale: readScale(node), at, fromStart });
    }
    say(null);
    tellTree();
    drawLive();
  }

  function changeStep() {
    beamTree.go(player.step());
    drawLive();
  }

  // What the browser can tell of options by itself, before the search is made with them
  function drawLive() {
    const { found, settings } = sides[state.selected];
    if (!found) return;
    const { sentence, tree, pieces, text } = found;
    const step = Math.min(player.step(), sentence.tokens.length - 1); // other paths may go on for longer
    const before = sentence.tokens.slice(0, step).map(({ id }) => pieces[id]).join("");
    next.show({ token: sentence.tokens[step], options: wanted(state.selected), label: text, step, before });
    const penalty = settings.way === "beams" ? settings.length_penalty : sentence.search.length_penalty;
    ranking.show({ sentence, tree, penalty, text: sayingOf });
  }

  function sayingOf(at) {
    const { pieces, sentence } = sides[state.selected].found;
    const ids = idsOf(at).filter((id) => id !== sentence.source.at(-1).id);
    return ids.map((id) => pieces[id]).join("").trim();
  }

  function lines(at) {
    const { tree, sentence, text } = sides[state.selected].found;
    const values = { token: text(at.id), share: percent(Math.exp(at.logProb)), total: figure(at.total) };
    const figures = fill(words.nodeFigures, values);
    const why = written(words.fates, fate(at, tree, sentence));
    return { figures, why, label: fill(words.nodeLabel, { step: at.step + 1, figures, fate: why }) };
  }

  function say(at) {
    if (!at) return readout.replaceChildren(words.pointHint);
    const { figures, why } = lines(at);
    const saying = el("q", { class: "saying", lang: "ms" }, sayingOf(at));
    return readout.replaceChildren(saying, el("span", {}, figures), el("span", {}, why));
  }

  function tellTree() {
    const { found } = sides[state.selected];
    listed.querySelector("ol")?.remove();
    if (listed.open && found) listed.append(told(found.tree, words, ({ id }) => found.text(id)));
  }

  return {
    show,
    destroy() {
      SIDES.forEach((name) => forget(name));
      for (const each of [themes, beamTree, player]) (each.disconnect ?? each.destroy).call(each);
      node.remove();
    },
  };
}
