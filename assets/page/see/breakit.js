// The Break it view: the real model with parts removed, or put in as the tutorial has them, beside the whole one: what
// both say of one sentence, how sure they are, and what they attend to.
//
// show({explanation, sentence}): explanation as malaygpt/explain.py documents it, whose sentences can be compared;
// `sentence` a number in it. Without one, an example is compared. Another show of the same text changes nothing.
//
// Asks ask("parts", {}) once and ask("break", {text, breakages}); malaygpt/comparing.py documents the answers.

import { el, fill } from "./dom.js";
import { mountAbout } from "./breakit/about.js";
import { firstOnes, placeToLook, withOn, written } from "./breakit/choosing.js";
import { mountModelMap } from "./breakit/modelmap.js";
import { mountPair } from "./breakit/pair.js";
import { newestOf } from "./breakit/request.js";
import { mountSide } from "./breakit/side.js";
import { mountSwitches } from "./breakit/switches.js";
import { isOnlyIn, verdicts } from "./breakit/verdict.js";
import { comparedMaps } from "./breakit/weights.js";
import { readTokens } from "./inside/pieces.js";
import { readScale, watchThemes } from "./scale.js";

export { ENGLISH, MALAY } from "./breakit.words.js";

const MOST_CHARACTERS = 200;
const FIRST = "no_positions"; // what is broken at first: its translations go wrong in a way that everybody sees
const SIDES = ["whole", "broken"];
const NOWHERE = { row: null, column: null };

export function mountBreakit(root, { words, ask, reducedMotion }) {
  const node = el("div", { class: "breakit" });
  node.classList.toggle("still", Boolean(reducedMotion));
  root.append(node);
  const state = { parts: null, on: [FIRST], which: {}, remark: "", shown: null, chosen: null, text: "", width: 0 };
  let controls = null; // what needs the parts
  let scale = null;

  const picker = el("select", { onchange: () => compareText(picker.value) });
  const pickerLabel = el("label", { class: "sentence" }, el("span", {}, words.pick), picker);
  const plain = { autocomplete: "off", spellcheck: "false" };
  const box = el("input", { type: "text", maxlength: MOST_CHARACTERS, lang: "en", ...plain });
  const form = el(
    "form",
    { class: "sentence" },
    el("label", {}, el("span", {}, words.sentence), box),
    el("button", { type: "submit" }, words.run),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    compareText(box.value);
  });
  const status = el("p", { class: "status", role: "status" });
  const again = el("button", { type: "button", class: "again", hidden: true, onclick: () => run() }, words.again);
  const note = el("p", { class: "note" }, el("span", { class: "ramp", "aria-hidden": "true" }), words.scaleNote);
  const columns = el("div", { class: "sides empty" });
  const sides = Object.fromEntries(
    SIDES.map((name) => {
      const onpoint = (line, at) => pointAtToken(name, line, at);
      return [name, mountSide(columns, { name, words, onpoint })];
    }),
  );
  const card = el("section", { class: "card choosing" });
  const looks = el("div", { class: "looks empty" });
  node.append(
    el("div", { class: "text" }, form, pickerLabel),
    columns,
    el("div", { class: "state" }, note, status, again),
    card,
    el("p", { class: "caveat" }, words.caveat),
    looks,
  );
  const pair = mountPair(looks, { words, onchange: look, onpoint: (name, cell) => point(name, cell ?? NOWHERE) });

  const request = newestOf(send, { onanswer, onfailure });
  const themes = watchThemes(() => draw());
  // In the next frame: what is drawn may change the height of what is observed.
  const resized = new ResizeObserver(() => requestAnimationFrame(() => pair.width() !== state.width && draw()));
  resized.observe(looks);

  function show({ explanation, sentence = 0 } = {}) {
    const texts = (explanation?.sentences ?? []).map(({ english }) => clipped(english));
    pickerLabel.hidden = texts.length < 2;
    picker.replaceChildren(...texts.map((text) => el("option", { value: text }, text)));
    const text = texts[sentence] ?? words.example;
    if (text === state.given) return;
    state.given = text;
    compareText(text);
  }

  function compareText(text) {
    const line = text.trim();
    if (!line) return;
    state.text = line;
    box.value = line;
    picker.value = line;
    run();
  }

  function run() {
    say(words.loading);
    request.ask({ text: state.text, on: state.on, which: state.which });
  }

  // The parts are asked for before the first comparison, and not again.
  async function send({ text, on, which }) {
    if (!state.parts) learnParts(await ask("parts", {}));
    const breakages = written({ on, which: { ...state.which, ...which } }, state.parts);
    return ask("break", { text, breakages });
  }

  function learnParts({ parts, shape }) {
    if (state.parts) return;
    state.parts = Object.fromEntries(parts.map((part) => [part.key, part]));
    state.which = firstOnes(shape);
    state.chosen = { kind: "cross", layer: shape.decoder - 1, head: "mean", ...placeToLook(state.on[0], state.which) };
    const map = mountModelMap({ words, shape, onchange: choose });
    const reset = el("button", { type: "button", class: "reset", onclick: () => change([], "") }, words.reset);
    card.append(el("div", { class: "head" }, el("h3", {}, words.choose), reset));
    const blocks = el("div", { class: "of-blocks" }, el("p", { class: "note" }, words.mapNote), map.node);
    const switches = mountSwitches(card, { words, parts: state.parts, blocks, onchange: turn });
    const about = mountAbout(card, { words, keys: Object.keys(state.parts), textOf });
    controls = { map, switches, about };
    showControls();
  }

  // In the reader's language; the server's texts are English.
  function textOf(key) {
    const { removed, look_for: lookFor } = { ...state.parts[key], ...words.parts[key] };
    return { name: nameOf(key), removed, look_for: lookFor };
  }

  function nameOf(key) {
    const { name } = words.parts[key];
    if (state.parts[key].needs.length === 0) return name;
    const { kind, layer, head } = state.which[key];
    const template = head === undefined ? words.whichBlock : words.whichHead;
    const named = head === undefined ? words.stacks[kind] : words.kindTitles[kind];
    return fill(template, { name, kind: named.toLowerCase(), layer: layer + 1, head: head + 1 });
  }

  function turn(key, isOn) {
    if (!isOn) return change(state.on.filter((each) => each !== key), "");
    const on = withOn(state.on, key, state.parts);
    const [gone] = state.on.filter((each) => !on.includes(each));
    lookAt(key);
    const names = gone && { gone: words.parts[gone].name, name: words.parts[key].name };
    return change(on, gone ? fill(words.replaced, names) : "");
  }

  // From the map of the model: what is chosen there is broken.
  function choose(key, which) {
    state.which = { ...state.which, [key]: which };
    lookAt(key);
    change(withOn(state.on, key, state.parts), "");
  }

  function change(on, remark) {
    Object.assign(state, { on, remark });
    showControls();
    run();
  }

  function showControls() {
    controls.switches.show(state.on);
    controls.map.show(state);
    controls.about.show(state.on, state.remark);
  }

  // Where the next answer is looked at
  function lookAt(key) {
    state.chosen = { ...state.chosen, ...placeToLook(key, state.which) };
  }

  function onanswer(found, { on }) {
    const tokens = Object.fromEntries(SIDES.map((name) => [name, readTokens(found[name], found[name].sentence)]));
    const maps = Object.fromEntries(SIDES.map((name) => [name, comparedMaps(found[name].attention)]));
    const hasMask = { whole: true, broken: !on.some((key) => state.parts[key].replaces === "mask") };
    state.shown = { found, tokens, maps, hasMask };
    say("");
    draw();
  }

  function onfailure(error) {
    say(error?.message || words.failed);
    again.hidden = false;
  }

  function say(text) {
    status.textContent = text;
    again.hidden = true;
    for (const each of [columns, looks]) {
      each.classList.toggle("waiting", text !== "");
      each.classList.toggle("empty", !state.shown);
      each.inert = text !== ""; // it still shows the comparison before
    }
  }

  function draw() {
    if (!state.shown) return;
    scale = readScale(node);
    state.width = pair.width();
    const { found: { whole, broken }, tokens } = state.shown;
    const pieces = (side) => side.sentence.tokens.map(({ id }) => side.pieces[id]);
    const said = verdicts(whole, broken).map(([name, values]) => fill(words.verdicts[name], values)).join(" ");
    const rooms = [pieces(whole), pieces(broken)];
    const show = (name, side, other, verdict) => sides[name].show({
      side,
      verdict,
      rooms,
      english: side.sentence.source.map(({ id }) => side.pieces[id]),
      malay: pieces(side),
      news: isOnlyIn(side.sentence, other.sentence),
    }, scale);
    show("whole", whole, broken, fill(words.verdicts.whole, { count: tokens.whole.tokens.length }));
    show("broken", broken, whole, said);
    drawMaps();
  }

  function drawMaps() {
    const { maps, tokens, hasMask } = state.shown;
    const against = getComputedStyle(node).getPropertyValue("--against").trim();
    state.chosen = within(state.chosen, maps.whole);
    pair.show({ maps, tokens, hasMask, chosen: state.chosen, scale, against });
    point("whole", NOWHERE);
  }

  function look(change) {
    state.chosen = { ...state.chosen, ...change };
    drawMaps();
  }

  function pointAtToken(name, line, at) {
    if (line === "malay") return point(name, { row: at, column: null }, "token");
    return point(name, { row: null, column: at }, "token");
  }

  // Something of one side, and what is the same on the other. Tokens are not places of every kind of map.
  function point(name, { row, column }, from = "map") {
    if (!state.shown) return;
    const { kind } = state.chosen;
    const isCross = kind === "cross";
    const other = SIDES.find((each) => each !== name);
    const twin = from === "map" ? twinOf(pair.axes(name), pair.axes(other), { row, column }) : twinToken(row, column);
    const cells = { [name]: { row, column }, [other]: twin };
    pair.mark(from === "map" || isCross ? cells : { whole: NOWHERE, broken: NOWHERE });
    for (const each of SIDES) {
      const isToken = from === "token" || isCross;
      const place = isToken ? cells[each] : { row: kind === "decoder" ? cells[each].row : null, column: null };
      sides[each].mark(place, pair.row(each, place.row), scale);
    }

    function twinToken(at, english) {
      const [here, there] = [name, other].map((each) => state.shown.tokens[each].tokens);
      return { row: at !== null && there[at]?.id === here[at].id ? at : null, column: english };
    }
  }

  return {
    show,
    destroy() {
      request.forget();
      for (const each of [themes, resized]) each.disconnect();
      state.shown = null;
      node.remove();
    },
  };
}

// The places of the other map that have the same tokens as these of one map
function twinOf(here, there, { row, column }) {
  const same = (axis, at) => (at !== null && there[axis][at]?.label === here[axis][at].label ? at : null);
  return { row: same("rows", row), column: same("columns", column) };
}

// What there is, where another kind has fewer layers
function within({ kind, layer, head }, maps) {
  return { kind, layer: Math.min(layer, maps.layers(kind) - 1), head };
}

// Whole words, as many as there is room for
function clipped(text) {
  if (text.length <= MOST_CHARACTERS) return text;
  return text.slice(0, MOST_CHARACTERS).replace(/\s+\S*$/, "");
}
