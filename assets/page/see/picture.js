// What is on the page as files: the map as PNG and SVG, and its numbers as JSON.

import { el, percent } from "./dom.js";
import { FONT_SIZE, font, layOut, paint, pixels, short } from "./heatmap.js";

const DENSITY = 2;
const LARGEST_SIDE = 8192; // pixels; browsers refuse canvases much larger
const GAP = 6;
const TITLE_HEIGHT = 28;
const DIGITS = 4;

// picture: {map, axes, isMasked, title}
export async function png(picture, scale) {
  const canvas = el("canvas");
  const context = canvas.getContext("2d");
  const layout = roomy(context, picture, scale);
  const density = Math.min(DENSITY, LARGEST_SIDE / Math.max(layout.width, layout.height + TITLE_HEIGHT));
  canvas.width = Math.round(density * layout.width);
  canvas.height = Math.round(density * (layout.height + TITLE_HEIGHT));
  context.setTransform(density, 0, 0, density, 0, 0);
  context.fillStyle = scale.card;
  context.fillRect(0, 0, layout.width, TITLE_HEIGHT);
  context.fillStyle = scale.ink;
  context.font = font(scale);
  context.textBaseline = "middle";
  context.fillText(picture.title, GAP, TITLE_HEIGHT / 2);
  context.translate(0, TITLE_HEIGHT);
  paint(context, layout, { ...picture, image: pixels(picture.map, scale) }, scale);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

export function svg(picture, scale) {
  const { map, axes, title } = picture;
  const layout = roomy(el("canvas").getContext("2d"), picture, scale);
  const { cell, left, width, height } = layout;
  const top = layout.top + TITLE_HEIGHT;
  const write = (text, at) => el("svg:text", { "dominant-baseline": "central", fill: scale.ink, ...at }, text);
  const size = { width, height: height + TITLE_HEIGHT, viewBox: `0 0 ${width} ${height + TITLE_HEIGHT}` };
  const drawing = el(
    "svg:svg",
    { ...size, "font-size": FONT_SIZE, "font-family": scale.font },
    el("svg:title", {}, title),
    el("svg:rect", { width: "100%", height: "100%", fill: scale.card }),
    write(title, { x: GAP, y: TITLE_HEIGHT / 2 }),
    axes.rows.map(({ label }, i) => {
      return write(short(label), { x: left - GAP, y: top + (i + 0.5) * cell, "text-anchor": "end" });
    }),
    axes.columns.map(({ label }, i) => {
      const [x, y] = [left + (i + 0.5) * cell, top - GAP];
      return write(short(label), { x, y, transform: `rotate(-90 ${x} ${y})` });
    }),
  );
  map.weights.forEach((weight, i) => {
    const [row, column] = [Math.floor(i / map.columns), i % map.columns];
    if (scale.index(weight) === 0) return;
    const name = el("svg:title", {}, `${axes.rows[row].label} → ${axes.columns[column].label}: ${percent(weight)}`);
    const place = { x: left + column * cell, y: top + row * cell, width: cell, height: cell };
    drawing.append(el("svg:rect", { ...place, fill: scale.fill(weight) }, name));
  });
  const frame = { x: left - 0.5, y: top - 0.5, width: cell * map.columns + 1, height: cell * map.rows + 1 };
  drawing.append(el("svg:rect", { ...frame, fill: "none", stroke: scale.line }));
  return new Blob([new XMLSerializer().serializeToString(drawing)], { type: "image/svg+xml" });
}

// `about` says of what it is: sentence, kind, layer, head
export function json({ map, axes }, about) {
  const rounded = (weight) => Number(weight.toFixed(DIGITS));
  const rows = axes.rows.map((_, row) => {
    return Array.from(map.weights.subarray(row * map.columns, (row + 1) * map.columns), rounded);
  });
  const labels = (axis) => axis.map(({ label }) => label);
  const content = { ...about, rows: labels(axes.rows), columns: labels(axes.columns), weights: rows };
  return new Blob([JSON.stringify(content, null, 1)], { type: "application/json" });
}

// Offers it to the reader as a file.
export function save(blob, name) {
  const url = URL.createObjectURL(blob);
  el("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000); // some browsers read it only after the click
}

// As large as the sentence asks for, and wide enough for the title
function roomy(context, { axes, title }, scale) {
  const layout = layOut(context, axes, scale, Infinity);
  return { ...layout, width: Math.max(layout.width, Math.ceil(context.measureText(title).width) + 2 * GAP) };
}
