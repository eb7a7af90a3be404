// Which attention is looked at: kind, layer, head, [CLS] and [SEP] or not; and the maps that follow from it.

import { fill } from "../dom.js";
import { axes, isMasked, kept } from "./linking.js";
import { keep } from "../maps.js";

// Of one sentence. `maps` as attentionMaps gives them; source and tokens as readTokens does.
export function makeLens({ maps, source, tokens, words, chosen, hides }) {
  const found = {};

  // {kind, map, axes, rows, columns, isMasked, title}: rows and columns are the places that are kept of the whole map
  function picture(kind) {
    if (found[kind]) return found[kind];
    const whole = maps.map(kind, chosen[kind]);
    const all = axes(kind, source, tokens);
    const [rows, columns] = [kept(all.rows, hides), kept(all.columns, hides)];
    const map = hides ? keep(whole, rows, columns) : whole;
    const shown = { rows: rows.map((i) => all.rows[i]), columns: columns.map((i) => all.columns[i]) };
    const hidden = (row, column) => isMasked(kind, rows[row], columns[column]);
    found[kind] = { kind, whole, all, map, axes: shown, rows, columns, isMasked: hidden, title: title(kind) };
    return found[kind];
  }

  // A row of the whole map, null at what is hidden
  function row(kind, at) {
    const { whole, all, columns } = picture(kind);
    if (at >= whole.rows) return [];
    const { weights } = hides ? keep(whole, [at], columns) : keepRow(whole, at);
    const full = Array(all.columns.length).fill(null);
    columns.forEach((column, i) => {
      full[column] = weights[i];
    });
    return full;
  }

  function where(kind) {
    const { layer, head } = chosen[kind];
    if (layer === "rollout") return words.whereRollout;
    return fill(head === "mean" ? words.whereMean : words.whereHead, { layer: layer + 1, head: head + 1 });
  }

  function title(kind) {
    return fill(words.mapTitle, { kind: words.kindTitles[kind], where: where(kind) });
  }

  return { picture, row, where, axes: (kind) => axes(kind, source, tokens) };
}

function keepRow({ columns, weights }, row) {
  return { weights: weights.subarray(row * columns, (row + 1) * columns) };
}

// What a cell, a row or a column says in words; places are those of the whole map
export function describe({ kind, whole, map, all, rows, columns }, { row, column }, words, percent) {
  const names = { row: all.rows[row]?.label, column: all.columns[column]?.label };
  if (row === null && column === null) return "";
  if (column === null) return fill(words.rowOnly, names);
  if (row === null) return fill(words.columnOnly, names);
  if (isMasked(kind, row, column)) return fill(words.cellMasked, names);
  const weight = whole.weights[row * whole.columns + column];
  const [i, j] = [rows.indexOf(row), columns.indexOf(column)];
  if (map === whole || i < 0 || j < 0) return fill(words.cell[kind], { ...names, share: percent(weight) });
  const rescaled = fill(words.cell[kind], { ...names, share: percent(map.weights[i * map.columns + j]) });
  return rescaled + fill(words.cellWhole, { share: percent(weight) });
}
