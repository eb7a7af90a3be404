// The Inside view: one translation step by step, what was likely at each, and every attention weight, replayed in the
// browser without the server.
//
// show({explanation, sentence, attention, model, step}): explanation as malaygpt/explain.py documents it; `sentence` a
// number in it; `attention` that sentence's attention_json, or absent, and then asked for; `model` = {num_parameters,
// d_model, ..., links: {name: url}} or absent; `step` where to begin. Another show of the same sentence leaves the
// replay where it is, unless it names a step.
//
// Asks ask("attention", {sentence}) for the attention of a sentence that the reader picks, and ask("attribution",
// {sentence}) for its attribution once the reader wants to see it.

import { el, fill } from "./dom.js";
import { mountAttention } from "./inside/attention.js";
import { mountAttribution } from "./inside/attribution.js";
import { mountChoices } from "./inside/choices.js";
import { mountFigures } from "./inside/figures.js";
import { makeLens } from "./inside/lens.js";
import { CLS, KINDS, fromCell, fromEnglish, fromMalay } from "./inside/linking.js";
import { mountPieces, readTokens, shown } from "./inside/pieces.js";
import { mountPlayer, steer } from "./inside/player.js";
import { mountStage } from "./inside/stage.js";
import { attentionMaps } from "./maps.js";
import { readScale, watchThemes } from "./scale.js";

export { ENGLISH, MALAY } from "./inside.words.js";

const isEqual = (one, other) => JSON.stringify(one) === JSON.stringify(other);
const NOWHERE = { row: null, column: null, english: [], malay: [] };

export function mountInside(root, { words, ask, reducedMotion }) {
  const node = el("div", { class: "inside" });
  node.classList.toggle("still", Boolean(reducedMotion));
  root.append(node);
  const state = { shown: null, begun: false, pointed: NOWHERE, kind: "cross", hides: false, chosen: {} };
  let scale = null;

  const picker = el("select", { onchange: () => pick(Number(picker.value)) });
  const pickerLabel = el("label", { class: "sentence" }, words.sentence, picker);
  const status = el("p", { class: "status", role: "status" });
  const again = el("button", { type: "button", class: "again", hidden: true }, words.again);
  again.addEventListener("click", () => fetchAttention());
  const body = el("div", { class: "body", hidden: true });
  node.append(pickerLabel, status, again, body);
  const onpoint = (line, at) => point(line, at);
  const stage = mountStage(body, { words, onpoint, onstep: (step) => player.happen("go", step) });
  const player = mountPlayer(body, { words, onstep: () => changeStep() });
  const attribution = mountAttribution(body, { words, ask, onchange: () => state.begun && drawStage() });
  const columns = el("div", { class: "columns" });
  body.append(columns);
  const choices = mountChoices(columns, { words });
  const attention = mountAttention(columns, { words, onchange, onpoint: pointAtCell, onpick: pickCell });
  const pieces = mountPieces(body, { words, onpoint });
  const figures = mountFigures(body, { words });

  steer(node, player, () => setPointed(NOWHERE));
  const themes = watchThemes(() => restyle());
  // In the next frame: what is drawn may change the height of what is observed.
  const resized = new ResizeObserver(() => requestAnimationFrame(() => attention.resize()));
  resized.observe(columns);

  function show(data) {
    const { explanation, sentence = 0, attention: given, step } = data;
    const isSame =
      state.begun &&
      state.shown.sentence === sentence &&
      isEqual(state.sentence, explanation.sentences[sentence]) &&
      (!given || isEqual(given, state.given));
    state.shown = { ...data, sentence };
    showPicker();
    if (!given && !isSame) return fetchAttention();
    say("");
    if (!isSame) return begin(given, step ?? 0);
    figures.show(data.model, shapes());
    draw();
    if (step !== undefined) player.happen("go", step);
  }

  function pick(sentence) {
    const { explanation, model } = state.shown;
    show({ explanation, model, sentence });
  }

  async function fetchAttention() {
    const asked = state.shown;
    state.begun = false;
    player.happen("pause");
    say(words.loading);
    try {
      const found = await ask("attention", { sentence: asked.sentence });
      if (state.shown === asked) show({ ...asked, attention: found });
    } catch {
      if (state.shown === asked) say(words.failed);
    }
  }

  function say(text) {
    status.textContent = text;
    again.hidden = text !== words.failed;
    body.classList.toggle("waiting", text !== "");
    body.inert = text !== ""; // it still shows the sentence before
  }

  function showPicker() {
    const { explanation, sentence } = state.shown;
    pickerLabel.hidden = explanation.sentences.length < 2;
    picker.replaceChildren(
      ...explanation.sentences.map(({ english }, i) =>
        el("option", { value: i }, fill(words.sentenceOption, { number: i + 1, text: english })),
      ),
    );
    picker.value = String(sentence);
  }

  // A sentence that was not shown before
  function begin(given, step) {
    const { explanation, sentence, model } = state.shown;
    Object.assign(state, { given, maps: attentionMaps(given) });
    body.hidden = false;
    state.sentence = explanation.sentences[sentence];
    Object.assign(state, readTokens(explanation, state.sentence), { pointed: NOWHERE, begun: true });
    for (const kind of KINDS) {
      const isThere = state.chosen[kind]?.layer === "rollout" || state.chosen[kind]?.layer < state.maps.layers(kind);
      if (!isThere) state.chosen[kind] = { layer: state.maps.layers(kind) - 1, head: "mean" };
    }
    scale = readScale(node);
    stage.write(state.source, state.tokens);
    pieces.show(state.sentence, state.source, state.tokens);
    choices.reserve(state.sentence.tokens);
    figures.show(model, shapes());
    relens();
    attribution.begin(sentence, state.source.length, state.tokens.length);
    player.start(state.tokens.length, step, (at) => state.tokens[at].label);
    draw();
  }

  function shapes() {
    return Object.fromEntries(KINDS.map((kind) => [kind, state.maps.shape(kind)]));
  }

  function relens() {
    const { maps, source, tokens, chosen, hides } = state;
    state.lens = makeLens({ maps, source, tokens, words, chosen, hides });
  }

  // From the pickers: {kind, layer, head, hides}, or some of them
  function onchange(change) {
    if (change.kind) state.kind = change.kind;
    if (change.hides !== undefined) state.hides = change.hides;
    const { layer, head } = change;
    const before = state.chosen[state.kind];
    state.chosen[state.kind] = { layer: layer ?? before.layer, head: head ?? before.head };
    state.pointed = NOWHERE;
    relens();
    draw();
  }

  function restyle() {
    if (!state.begun) return;
    scale = readScale(node);
    draw();
  }

  function point(line, at) {
    if (at === null) return setPointed(NOWHERE);
    setPointed((line === "english" ? fromEnglish : fromMalay)(state.kind, at, player.step()));
  }

  function pointAtCell(cell) {
    setPointed(cell ? fromCell(state.kind, cell.row, cell.column) : NOWHERE);
  }

  function pickCell({ row }) {
    if (row !== null && state.kind !== "encoder") player.happen("go", row);
  }

  function setPointed(pointed) {
    if (!state.begun || isEqual(pointed, state.pointed)) return;
    state.pointed = pointed;
    drawStage();
    attention.mark(marks());
    pieces.point(pointed);
  }

  function marks() {
    const { row, column } = state.pointed;
    return { step: state.kind === "encoder" ? null : player.step(), row, column };
  }

  function draw() {
    if (!state.begun) return;
    const { lens, kind, hides, maps, sentence } = state;
    const about = { english: sentence.english, malay: sentence.malay };
    attention.show({ lens, kind, hides, maps, chosen: state.chosen[kind], scale, marks: marks(), about });
    drawStep();
  }

  function changeStep() {
    drawStep();
    attention.mark(marks());
  }

  function drawStep() {
    const { sentence, tokens } = state;
    const step = player.step();
    drawStage();
    pieces.point(state.pointed);
    choices.show({
      token: sentence.tokens[step],
      label: (id) => shown(textOf(id)),
      step,
      numSteps: tokens.length,
      before: tokens.slice(0, step).map(({ id }) => textOf(id)).join(""),
      isForced: step < sentence.forced,
    });
  }

  function textOf(id) {
    return state.shown.explanation.pieces[id];
  }

  function drawStage() {
    const { lens, kind, pointed, hides, source, tokens } = state;
    const step = player.step();
    const row = kind === "encoder" ? step : (pointed.row ?? step);
    const titles = {
      english: fill(words.titleCross, { where: lens.where("cross") }),
      malay: fill(words.titleDecoder, { where: lens.where("decoder") }),
    };
    const counts = attribution.counts(row);
    const [cross, decoder] = [lens.row("cross", row), lens.row("decoder", row)];
    stage.show({ source, tokens, step, row, cross, decoder, titles, counts, pointed, hides, scale });
    const [english, malay] = [source, [CLS, ...tokens]].map((line) => line.map(({ label }) => label));
    attribution.read(counts, { chosen: tokens[row].label, english, malay, pointed });
  }

  return {
    show,
    destroy() {
      for (const each of [themes, resized, stage, player]) (each.disconnect ?? each.destroy).call(each);
      state.begun = false;
      state.shown = null;
      node.remove();
    },
  };
}
