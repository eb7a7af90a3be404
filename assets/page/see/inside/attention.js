// The maps of attention: which one is chosen, the map or all heads at once, what is pointed at in words, and saving.

import { el, fill, percent } from "../dom.js";
import { mountHeadGrid } from "./headgrid.js";
import { mountHeatmap } from "../heatmap.js";
import { describe } from "./lens.js";
import { KINDS } from "./linking.js";
import { json, png, save, svg } from "../picture.js";
import { mountCheck, mountRadios } from "./pickers.js";

// onchange({kind | layer, head | hides}); onpoint and onpick take {row, column}, places of the whole map, or null
export function mountAttention(root, { words, onchange, onpoint, onpick }) {
  const node = el("section", { class: "attention" });
  const title = el("p", { class: "map-title" });
  const pickers = el("div", { class: "pickers" });
  const holder = el("div", { class: "map-holder" });
  const readout = el("p", { class: "readout", role: "status" });
  const note = el("p", { class: "note" });
  const checks = el("div", { class: "checks" });
  node.append(el("h3", {}, words.attention), pickers, checks, title, holder, readout, legend(), note, savers());
  root.append(node);
  let shown = null;
  let isGrid = false;

  const number = (value) => (value === "rollout" || value === "mean" ? value : Number(value));
  const kinds = mountRadios(pickers, { legend: words.kind, onchange: (kind) => onchange({ kind }) });
  const layers = mountRadios(pickers, { legend: words.layer, onchange: (layer) => onchange({ layer: number(layer) }) });
  const heads = mountRadios(pickers, { legend: words.head, onchange: (head) => onchange({ head: number(head) }) });
  const grid = mountCheck(checks, { label: words.grid, onchange: (isOn) => setGrid(isOn) });
  const hide = mountCheck(checks, { label: words.hide, onchange: (hides) => onchange({ hides }) });
  checks.append(el("span", { class: "note" }, words.hideNote));
  const whole = ({ row, column }) => ({
    row: row === null ? null : shown.picture.rows[row],
    column: column === null ? null : shown.picture.columns[column],
  });
  const heatmap = mountHeatmap(holder, {
    onpoint: (cell) => onpoint(cell && whole(cell)),
    onpick: (cell) => onpick(whole(cell)),
  });
  const thumbs = mountHeadGrid(holder, { words, onpick: pickHead });

  function setGrid(isOn) {
    isGrid = isOn;
    draw();
  }

  function pickHead(layer, head) {
    isGrid = false;
    grid.show(false);
    onchange({ layer, head });
    heatmap.canvas.focus();
  }

  function legend() {
    const ends = [words.legendNone, words.legendAll].map((text) => el("span", {}, text));
    const ramp = el("span", { class: "ramp", "aria-hidden": "true" });
    return el("p", { class: "legend" }, words.legend, ends[0], ramp, ends[1]);
  }

  function savers() {
    const name = () => `attention-${shown.kind}`;
    const fromOne = (value) => (typeof value === "number" ? value + 1 : value);
    const counted = () => ({ layer: fromOne(shown.chosen.layer), head: fromOne(shown.chosen.head) });
    const ways = {
      PNG: async () => save(await png(shown.picture, shown.scale), `${name()}.png`),
      SVG: () => save(svg(shown.picture, shown.scale), `${name()}.svg`),
      JSON: () => save(json(shown.picture, { ...shown.about, kind: shown.kind, ...counted() }), `${name()}.json`),
    };
    const buttons = Object.entries(ways).map(([way, onclick]) => el("button", { type: "button", onclick }, way));
    return el("div", { class: "savers", role: "group", "aria-label": words.save }, el("span", {}, words.save), buttons);
  }

  // Layers count from 0, and are shown counting from 1.
  function showPickers({ kind, maps, chosen, hides }) {
    const counted = (length) => Array.from({ length }, (_, i) => [i, String(i + 1)]);
    kinds.show(KINDS.map((each) => [each, words.kinds[each], words.kindTitles[each]]), kind);
    layers.show([...counted(maps.layers(kind)), ["rollout", words.rollout, words.rolloutTitle]], chosen.layer);
    const isRollout = chosen.layer === "rollout";
    heads.show([["mean", words.mean, words.meanTitle], ...counted(maps.heads(kind))], chosen.head, isRollout);
    hide.show(hides);
  }

  function draw() {
    const { picture, scale, maps, kind, chosen, lens, marks } = shown;
    heatmap.reserve(isGrid ? [] : KINDS.map(lens.axes), scale);
    heatmap.canvas.parentNode.hidden = isGrid;
    thumbs.node.hidden = !isGrid;
    title.textContent = isGrid ? `${words.kindTitles[kind]}: ${words.allHeads.toLowerCase()}` : picture.title;
    if (isGrid) {
      const mapOf = (layer, head) => maps.map(kind, { layer, head });
      thumbs.show({ numLayers: maps.layers(kind), numHeads: maps.heads(kind), mapOf, chosen, scale });
    } else {
      heatmap.show({ ...picture, title: fill(words.mapLabel, picture) }, scale, placed(marks));
    }
  }

  // Marks of the whole map as places of what is shown of it; null for what is hidden
  function placed({ step, row, column }) {
    const { rows, columns } = shown.picture;
    const place = (kept, at) => (at === null || !kept.includes(at) ? null : kept.indexOf(at));
    return { step: place(rows, step), row: place(rows, row), column: place(columns, column) };
  }

  function mark(marks) {
    shown.marks = marks;
    if (!isGrid) heatmap.mark(placed(marks));
    say();
  }

  function say() {
    readout.textContent = describe(shown.picture, shown.marks, words, percent) || words.hint;
  }

  return {
    // lens as makeLens gives it; maps as attentionMaps; chosen {layer, head}; marks {step, row, column};
    // about: what a saved file says of the sentence
    show(state) {
      shown = { ...state, picture: state.lens.picture(state.kind) };
      showPickers(shown);
      note.textContent = words.axes[shown.kind];
      draw();
      say();
    },
    mark,
    resize: () => shown && draw(),
  };
}
