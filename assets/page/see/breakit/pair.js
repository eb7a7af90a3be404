// The attention of both models side by side: one choice of kind, block and head for the two, maps of one size.

import { el, fill, percent } from "../dom.js";
import { mountHeatmap } from "../heatmap.js";
import { KINDS, axes, isMasked } from "../inside/linking.js";
import { mountRadios } from "../inside/pickers.js";
import { diverging, largest, score } from "./weights.js";

const SIDES = ["whole", "broken"];

// onchange({kind | layer | head}); onpoint(side, {row, column} or null)
export function mountPair(root, { words, onchange, onpoint }) {
  const node = el("section", { class: "card pair" }, el("h3", {}, words.attention));
  const pickers = el("div", { class: "pickers" });
  const note = el("p", { class: "note" });
  const columns = el("div", { class: "maps" });
  node.append(pickers, note, columns);
  root.append(node);
  const number = (value) => (value === "mean" ? value : Number(value));
  const kinds = mountRadios(pickers, { legend: words.kind, onchange: (kind) => onchange({ kind }) });
  const layers = mountRadios(pickers, { legend: words.layer, onchange: (layer) => onchange({ layer: number(layer) }) });
  const heads = mountRadios(pickers, { legend: words.head, onchange: (head) => onchange({ head: number(head) }) });
  const sides = Object.fromEntries(SIDES.map((name) => [name, mapOf(name)]));
  let shown = null;

  function mapOf(name) {
    const readout = el("p", { class: "readout", role: "status" });
    const legend = el("p", { class: "legend" });
    const holder = el("div", { class: "map-holder" });
    columns.append(el("div", { class: `map-of ${name}` }, el("h4", {}, words.sides[name]), legend, readout, holder));
    const point = (cell) => onpoint(name, cell);
    return { readout, legend, heatmap: mountHeatmap(holder, { onpoint: point, onpick: point }) };
  }

  function showPickers({ maps, chosen: { kind, layer, head } }) {
    const counted = (length) => Array.from({ length }, (_, i) => [i, String(i + 1)]);
    kinds.show(KINDS.map((each) => [each, words.kinds[each], words.kindTitles[each]]), kind);
    layers.show(counted(maps.whole.layers(kind)), layer);
    heads.show([["mean", words.mean, words.meanTitle], ...counted(maps.whole.heads(kind))], head);
  }

  function titleOf(name) {
    const { kind, layer, head } = shown.chosen;
    const where = fill(head === "mean" ? words.whereMean : words.whereHead, { layer: layer + 1, head: head + 1 });
    return fill(words.mapLabel, { side: words.sides[name], kind: words.kindTitles[kind], where });
  }

  function showLegend(legend, { isRaw, most }) {
    const ends = isRaw ? [-most, 0, most].map((value) => score(value, words.locale)) : ["0 %", "100 %"];
    legend.replaceChildren(
      isRaw ? words.legendRaw : words.legend,
      el("span", {}, ends[0]),
      el("span", { class: isRaw ? "ramp raw" : "ramp", "aria-hidden": "true" }),
      el("span", {}, isRaw ? `${ends[2]} (${words.zero})` : ends[1]),
    );
  }

  function describe(name, { row, column }) {
    const { map, axes: { rows, columns: all } } = shown.pictures[name];
    const { kind } = shown.chosen;
    const names = { row: rows[row]?.label, column: all[column]?.label };
    if (row === null && column === null) {
      if (map.weights.every((weight) => weight === 0)) return words.noWeight;
      return map.isRaw ? words.rawNote : words.hint;
    }
    if (column === null) return fill(words.rowOnly, names);
    if (row === null) return fill(words.columnOnly, names);
    if (shown.pictures[name].isMasked(row, column)) return fill(words.masked, names);
    const weight = map.weights[row * map.columns + column];
    if (map.isRaw) return fill(words.rawCell, { ...names, score: score(weight, words.locale) });
    return fill(words.cell[kind], { ...names, share: percent(weight) });
  }

  return {
    // maps and tokens: of whole and broken, as comparedMaps and readTokens give them; chosen: {kind, layer, head};
    // hasMask: of whole and broken; scale and against: colours
    show({ maps, tokens, chosen, hasMask, scale, against }) {
      const { kind } = chosen;
      const pictures = {};
      for (const name of SIDES) {
        const map = maps[name].map(kind, chosen);
        const masked = (row, column) => hasMask[name] && isMasked(kind, row, column);
        const all = axes(kind, tokens[name].source, tokens[name].tokens);
        pictures[name] = { map, axes: all, isMasked: masked, most: largest(map) };
      }
      shown = { maps, chosen, pictures };
      showPickers(shown);
      note.textContent = words.axes[kind];
      for (const [i, name] of SIDES.entries()) {
        const { map, most } = pictures[name];
        const colours = map.isRaw ? diverging(scale, against, most) : scale;
        const beside = pictures[SIDES[1 - i]].axes;
        sides[name].heatmap.show({ ...pictures[name], beside, title: titleOf(name) }, colours, {});
        showLegend(sides[name].legend, { isRaw: map.isRaw, most });
      }
    },
    // of whole and broken: {row, column}, null where nothing is pointed at
    mark(pointed) {
      for (const name of SIDES) {
        sides[name].heatmap.mark(pointed[name]);
        sides[name].readout.textContent = describe(name, pointed[name]);
      }
    },
    // What a token of the Malay gave the English, or null where the map is of another kind, or no shares
    row(name, at) {
      const { map } = shown.pictures[name];
      if (shown.chosen.kind !== "cross" || map.isRaw || at === null) return null;
      return map.weights.subarray(at * map.columns, (at + 1) * map.columns);
    },
    axes: (name) => shown.pictures[name].axes,
    width: () => columns.clientWidth,
  };
}
