// The Watch it learn view: what the model said of a few sentences at moments of its training, from the first step to
// the last epoch, how sure it was of each token and what it looked at, beside the curves of loss and chrF.
//
// show(timeline): as malaygpt/timeline.py documents it, or null where the checkpoint has none; left out, it is asked
// for with ask("timeline", {}). A timeline is shown from its first moment.

import { el, fill, percent } from "./dom.js";
import { mountCurves, panels } from "./learn/curve.js";
import { mountFigures } from "./learn/figures.js";
import { mountMap } from "./learn/map.js";
import { crossMap, mean, strongest } from "./learn/moments.js";
import { attentionRemark, remarks } from "./learn/remarks.js";
import { mountSaid } from "./learn/said.js";
import { mountRadios } from "./inside/pickers.js";
import { shown } from "./inside/pieces.js";
import { mountPlayer, steer } from "./inside/player.js";
import { isNew } from "./differences.js";
import { readScale, watchThemes } from "./scale.js";

export { ENGLISH, MALAY } from "./learn.words.js";

const NOWHERE = { row: null, column: null };
const MOST_NAMED = 3; // English tokens that a Malay one looked at

export function mountLearn(root, { words, ask, reducedMotion }) {
  const node = el("div", { class: "learn" });
  node.classList.toggle("still", Boolean(reducedMotion));
  root.append(node);
  const state = { timeline: null, asked: null, probe: 0, chosen: null, map: null, pointed: NOWHERE };
  let scale = null;
  let width = 0; // that the map was drawn for

  const status = el("p", { class: "status", role: "status" });
  const again = el("button", { type: "button", class: "again", hidden: true }, words.again);
  again.addEventListener("click", () => fetchTimeline());
  const body = el("div", { class: "body", hidden: true });
  node.append(status, again, body);
  const picker = el("select", { onchange: () => pick(Number(picker.value)) });
  const head = el("div", { class: "head" });
  body.append(el("label", { class: "sentence" }, words.sentence, picker), head);
  const player = mountPlayer(head, { words, onstep: () => changeMoment() });

  const title = el("h3", { class: "when" });
  const remark = el("p", { class: "remark", "aria-live": "polite" });
  const remarkRoom = el("div", { class: "rooms" }, remark);
  const sure = el("span", { class: "sure" });
  const before = el("p", { class: "before" });
  const stage = el("section", { class: "card stage" }, title, remarkRoom);
  const said = mountSaid(stage, { words, onpoint: pointAtToken });
  const ramp = el("span", { class: "ramp", "aria-hidden": "true" });
  const scaleNote = el("span", { class: "scale" }, ramp, sure);
  stage.append(before, el("p", { class: "note" }, scaleNote, el("span", { class: "underlined" }, words.underlined)));

  const looks = el("section", { class: "card looks" }, el("h3", {}, words.attention));
  const pickers = el("div", { class: "pickers" });
  const readout = el("p", { class: "readout", "aria-live": "polite" });
  const room = el("div", { class: "map-room" });
  const chooseLayer = (layer) => choose({ layer: Number(layer), head: "mean" });
  const chooseHead = (each) => choose({ head: each === "mean" ? each : Number(each) });
  const layers = mountRadios(pickers, { legend: words.layer, onchange: chooseLayer });
  const heads = mountRadios(pickers, { legend: words.head, onchange: chooseHead });
  const map = mountMap(room, { onpoint: (cell) => setPointed(cell ?? NOWHERE) });
  looks.append(pickers, el("p", { class: "note" }, words.axes), room, readout);

  const progress = el("section", { class: "card progress" }, el("h3", {}, words.progress));
  const figures = mountFigures(progress, { words });
  const plots = el("div", { class: "plots" });
  const curves = mountCurves(plots, { words, onpick: (moment) => player.happen("go", moment) });
  progress.append(plots);
  body.append(stage, el("div", { class: "columns" }, looks, progress));

  steer(node, player, () => setPointed(NOWHERE));
  const themes = watchThemes(() => restyle());
  // In the next frame: what is drawn may change the height of what is observed.
  const resized = new ResizeObserver(() => requestAnimationFrame(() => room.clientWidth !== width && restyle()));
  resized.observe(room);

  function show(timeline) {
    if (timeline === undefined) return fetchTimeline();
    if (state.timeline) player.happen("pause");
    Object.assign(state, { timeline, asked: null });
    say(timeline ? "" : words.none);
    if (timeline) begin(timeline);
    return undefined;
  }

  async function fetchTimeline() {
    const asked = {};
    if (state.timeline) player.happen("pause");
    Object.assign(state, { timeline: null, asked });
    say(words.loading);
    try {
      const found = await ask("timeline", {});
      if (state.asked === asked) show(found);
    } catch {
      if (state.asked === asked) say(words.failed);
    }
  }

  function say(text) {
    status.textContent = text;
    again.hidden = text !== words.failed;
    body.hidden = text !== "";
  }

  function begin(timeline) {
    const { probes, moments, num_layers: numLayers } = timeline;
    Object.assign(state, { probe: 0, chosen: { layer: numLayers - 1, head: "mean" } });
    picker.replaceChildren(...probes.map(({ text }, i) => el("option", { value: i }, text)));
    figures.reserve(timeline);
    const names = panels(timeline).map(({ name }) => words.curveNames[name]);
    plots.hidden = names.length === 0;
    const { step } = moments.at(-1);
    curves.show(timeline, fill(words.curvesLabel, { names: names.join(", "), last: number(step) }));
    player.start(moments.length, 0, () => "");
    pick(0);
  }

  function pick(probe) {
    state.probe = probe;
    picker.value = String(probe);
    const all = state.timeline.moments.map((_, moment) => translation(moment).pieces);
    said.reserve(all);
    map.reserve(all.flat().map(shown));
    const rooms = all.map((_, moment) => el("p", { class: "room", "aria-hidden": "true" }, remarkOn(moment)));
    remarkRoom.replaceChildren(remark, ...rooms);
    player.start(all.length, player.step(), (moment) => {
      const text = translation(moment).text.trim() || words.silence;
      return fill(words.momentValue, { title: titleOf(state.timeline.moments[moment]), text });
    });
    changeMoment();
  }

  function choose(chosen) {
    state.chosen = { ...state.chosen, ...chosen };
    drawMap();
  }

  function translation(moment) {
    return state.timeline.moments[moment]?.translations[state.probe];
  }

  function number(value) {
    return value.toLocaleString(words.locale, { maximumFractionDigits: 2 });
  }

  function titleOf({ step, epoch }) {
    if (step === 0) return words.start;
    if (epoch === null) return fill(words.atStep, { step: number(step) });
    const template = epoch < 1 ? words.atStepOfEpoch : epoch === 1 ? words.atEpoch : words.atEpochs;
    return fill(template, { step: number(step), epoch: number(epoch) });
  }

  function changeMoment() {
    const { timeline } = state;
    const moment = player.step();
    const [now, earlier] = [translation(moment), translation(moment - 1)];
    scale = readScale(node);
    width = room.clientWidth;
    title.textContent = titleOf(timeline.moments[moment]);
    remark.textContent = remarkOn(moment);
    sure.textContent = fill(words.sure, { share: percent(mean(now.probabilities)) });
    const textBefore = earlier && (earlier.text.trim() || words.silence);
    before.textContent = earlier ? fill(words.before, { text: textBefore }) : words.beforeNone;
    figures.show(timeline.moments[moment]);
    curves.mark(moment);
    drawSaid(now, earlier);
    drawMap();
  }

  function remarkOn(moment) {
    const found = remarks(state.timeline, moment, state.probe);
    const written = (values) => ({ ...values, step: number(values.step ?? 0) });
    return found.map(([name, values]) => fill(words.remarks[name], written(values))).join(" ");
  }

  function drawSaid(now, earlier) {
    const news = earlier ? isNew(earlier.pieces, now.pieces) : now.pieces.map(() => false);
    const english = state.timeline.probes[state.probe].pieces;
    said.show({ english, malay: now.pieces, probabilities: now.probabilities, news }, scale);
  }

  function drawMap() {
    const { timeline, probe, chosen } = state;
    const { num_layers: numLayers, num_heads: numHeads } = timeline;
    const isLast = chosen.layer === numLayers - 1;
    layers.show(count(numLayers), chosen.layer);
    heads.show([["mean", words.mean], ...count(numHeads)], chosen.head, !isLast);
    state.map = crossMap(timeline, player.step(), probe, chosen);
    const template = chosen.head === "mean" ? words.whereMean : words.whereHead;
    const where = fill(template, { layer: chosen.layer + 1, head: chosen.head + 1 });
    const mapTitle = fill(words.mapLabel, { title: fill(words.mapTitle, { where }) });
    map.show({ map: state.map, ...labels(), title: mapTitle }, scale);
    state.pointed = NOWHERE;
    drawPointed();
  }

  // Of buttons: places, and the numbers that people count with
  function count(length) {
    return Array.from({ length }, (_, i) => [i, String(i + 1)]);
  }

  function labels() {
    const rows = translation(player.step()).pieces.map(shown);
    return { rows, columns: state.timeline.probes[state.probe].pieces.map(shown) };
  }

  function pointAtToken(line, at) {
    setPointed(at === null ? NOWHERE : line === "malay" ? { row: at, column: null } : { row: null, column: at });
  }

  function setPointed(pointed) {
    if (!state.map || (pointed.row === state.pointed.row && pointed.column === state.pointed.column)) return;
    state.pointed = pointed;
    drawPointed();
    map.mark(pointed);
  }

  function drawPointed() {
    const { pointed, map: { columns, weights } } = state;
    const { row } = pointed;
    said.mark(pointed, row === null ? null : weights.subarray(row * columns, (row + 1) * columns), scale);
    readout.textContent = describe(pointed);
  }

  function describe({ row, column }) {
    const { rows, columns } = labels();
    const named = ([at, weight]) => fill(words.shareOf, { column: columns[at], share: percent(weight) });
    if (row !== null && column !== null) {
      const share = percent(state.map.weights[row * columns.length + column]);
      return fill(words.cell, { row: rows[row], column: columns[column], share });
    }
    if (row !== null) {
      const list = strongest(state.map, row, MOST_NAMED).map(named).join(", ");
      const share = percent(translation(player.step()).probabilities[row]);
      return `${fill(words.token, { token: rows[row], share })}. ${fill(words.row, { row: rows[row], list })}`;
    }
    if (column !== null) return fill(words.columnOnly, { column: columns[column] });
    const found = attentionRemark(state.map);
    if (!found) return words.hint;
    return fill(words.remarks[found[0]], { share: percent(found[1].share), column: columns[found[1].column] });
  }

  function restyle() {
    if (state.timeline) changeMoment();
  }

  return {
    show,
    destroy() {
      for (const each of [themes, resized, curves, player]) (each.disconnect ?? each.destroy).call(each);
      Object.assign(state, { timeline: null, asked: null });
      node.remove();
    },
  };
}
