// A map of attention on a canvas: rows downwards are what attends, columns to the right what it attends to, with their
// tokens on both axes. `paint` draws it anywhere; `mountHeatmap` keeps one on the page that can be pointed at.

import { clamp, el } from "./dom.js";

const LARGEST_CELL = 34; // CSS pixels
const SMALLEST_CELL = 3;
const LEAST_FOR_LABEL = 11; // smaller cells share a label
const LONGEST_LABEL = 14; // characters
const LEAST_HATCH = 6; // CSS pixels between lines
const GAP = 6;
export const FONT_SIZE = 12;

const isThere = (place) => place !== null && place !== undefined;

export function font(scale, size = FONT_SIZE) {
  return `${size}px ${scale.font}`;
}

export function short(label) {
  const characters = [...label];
  return characters.length <= LONGEST_LABEL ? label : `${characters.slice(0, LONGEST_LABEL - 1).join("")}…`;
}

// Where everything goes in a room of this width: {cell, left, top, width, height, every: cells to a label}. `beside` are
// the axes of another map, where the two are to be of one size.
export function layOut(context, axes, scale, room, beside = axes) {
  context.font = font(scale);
  const width = ({ label }) => context.measureText(short(label)).width;
  const longest = (name) => Math.ceil(Math.max(0, ...axes[name].map(width), ...beside[name].map(width)));
  const count = (name) => Math.max(axes[name].length, beside[name].length);
  const left = longest("rows") + GAP;
  const top = longest("columns") + GAP;
  const cell = clamp(Math.floor((room - left - 2) / Math.max(1, count("columns"))), SMALLEST_CELL, LARGEST_CELL);
  const every = Math.ceil(LEAST_FOR_LABEL / cell);
  return { cell, left, top, width: left + cell * count("columns") + 2, height: top + cell * count("rows") + 2, every };
}

// What is at a point: {row, column}, either null on the other's labels; null where there is nothing
export function cellAt({ cell, left, top }, { rows, columns }, x, y) {
  const column = x < left ? null : Math.floor((x - left) / cell);
  const row = y < top ? null : Math.floor((y - top) / cell);
  if ((row === null && column === null) || row >= rows.length || column >= columns.length) return null;
  return { row, column };
}

// picture: {map, image: its pixels, axes: {rows, columns}, beside: other axes, or absent, isMasked(row, column)}
// marks: {step, row, column}, places or null
export function paint(context, layout, picture, scale, marks = {}) {
  context.fillStyle = scale.card;
  context.fillRect(0, 0, layout.width, layout.height);
  paintCells(context, layout, picture, scale);
  paintLabels(context, layout, picture.axes, scale, marks);
  paintMarks(context, layout, picture.map, scale, marks);
}

// One pixel for each weight
export function pixels({ rows, columns, weights }, scale) {
  const image = new ImageData(columns, rows);
  const colours = new Uint32Array(image.data.buffer);
  for (let i = 0; i < weights.length; i++) colours[i] = scale.packed[scale.index(weights[i])];
  const canvas = el("canvas", { width: columns, height: rows });
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

function paintCells(context, { cell, left, top }, { map, image, isMasked }, scale) {
  const [width, height] = [cell * map.columns, cell * map.rows];
  if (map.weights.length === 0) return;
  context.imageSmoothingEnabled = false;
  context.drawImage(image, left, top, width, height);
  context.strokeStyle = scale.line;
  context.lineWidth = 1;
  context.save();
  context.translate(left, top);
  hatch(context, cell, map, isMasked);
  context.restore();
  context.strokeRect(left - 0.5, top - 0.5, width + 1, height + 1);
}

// Of a row, what is masked is its end.
function hatch(context, cell, { rows, columns }, isMasked) {
  context.beginPath();
  for (let row = 0; row < rows; row++) {
    let first = columns;
    while (first > 0 && isMasked(row, first - 1)) first--;
    if (first < columns) context.rect(first * cell, row * cell, (columns - first) * cell, cell);
  }
  context.clip();
  context.beginPath();
  const [height, gap] = [rows * cell, Math.max(cell, LEAST_HATCH)];
  for (let x = gap; x < columns * cell + height; x += gap) {
    context.moveTo(x, 0);
    context.lineTo(x - height, height);
  }
  context.stroke();
}

function paintLabels(context, { cell, left, top, every }, { rows, columns }, scale, marks) {
  context.font = font(scale);
  context.textBaseline = "middle";
  context.textAlign = "right";
  writeAxis(rows, [marks.step, marks.row], every, scale, context, (text, i) => {
    context.fillText(text, left - GAP, top + (i + 0.5) * cell);
  });
  context.textAlign = "left";
  writeAxis(columns, [marks.column], every, scale, context, (text, i) => {
    context.save();
    context.translate(left + (i + 0.5) * cell, top - GAP);
    context.rotate(-Math.PI / 2);
    context.fillText(text, 0, 0);
    context.restore();
  });
}

// Where cells share a label, those beside a marked one give way to it.
function writeAxis(axis, marked, every, scale, context, write) {
  const places = marked.filter(isThere);
  axis.forEach(({ label }, i) => {
    const isMarked = places.includes(i);
    if (!isMarked && (i % every !== 0 || places.some((place) => Math.abs(place - i) < every))) return;
    context.fillStyle = isMarked ? scale.ink : scale.muted;
    write(short(label), i);
  });
}

function paintMarks(context, { cell, left, top }, map, scale, { step, row, column }) {
  const outline = (colour, width, x, y, w, h) => {
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.strokeRect(x, y, w, h);
  };
  if (isThere(step)) outline(scale.thread, 2, left, top + step * cell, map.columns * cell, cell);
  if (isThere(row)) outline(scale.muted, 1, left - 0.5, top + row * cell - 0.5, map.columns * cell + 1, cell + 1);
  if (isThere(column)) outline(scale.muted, 1, left + column * cell - 0.5, top - 0.5, cell + 1, map.rows * cell + 1);
  if (isThere(row) && isThere(column)) outline(scale.ink, 2, left + column * cell, top + row * cell, cell, cell);
}

// onpoint({row, column} or null) as the pointer or the arrow keys move; onpick({row, column}) at a click or Enter
export function mountHeatmap(root, { onpoint, onpick }) {
  const canvas = el("canvas", { class: "map", tabindex: 0, role: "application" });
  const room = el("div", { class: "map-room" }, canvas);
  const context = canvas.getContext("2d");
  root.append(room);
  let picture = null;
  let scale = null;
  let layout = null;
  let marks = {};

  const at = ({ offsetX, offsetY }) => picture && cellAt(layout, picture.axes, offsetX, offsetY);
  canvas.addEventListener("pointermove", (event) => onpoint(at(event)));
  canvas.addEventListener("pointerleave", ({ pointerType }) => pointerType === "touch" || onpoint(null));
  canvas.addEventListener("blur", () => onpoint(null));
  canvas.addEventListener("click", (event) => {
    const cell = at(event);
    if (cell) onpick(cell);
  });
  canvas.addEventListener("keydown", (event) => {
    if (!picture) return;
    const here = { row: marks.row ?? marks.step ?? 0, column: marks.column ?? 0 };
    const moved = move(event.key, here, isThere(marks.row) && isThere(marks.column));
    if (moved === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    if (event.key === "Enter") onpick(here);
    else onpoint(moved);
  });

  function move(key, { row, column }, hasCursor) {
    const { rows, columns } = picture.axes;
    const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    const ends = { Home: -columns.length, End: columns.length };
    if (key === "Escape") return null;
    if (key === "Enter") return { row, column };
    if (!(key in steps) && !(key in ends)) return undefined;
    const [down, right] = key in ends ? [0, ends[key]] : hasCursor ? steps[key] : [0, 0];
    return { row: clamp(row + down, 0, rows.length - 1), column: clamp(column + right, 0, columns.length - 1) };
  }

  function draw() {
    if (!picture) return;
    const density = window.devicePixelRatio || 1;
    const [width, height] = [layout.width, layout.height].map((length) => Math.round(length * density));
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    canvas.style.setProperty("width", `${layout.width}px`);
    canvas.style.setProperty("height", `${layout.height}px`);
    context.setTransform(density, 0, 0, density, 0, 0);
    paint(context, layout, picture, scale, marks);
  }

  return {
    canvas,
    // The heights that these axes would take, so that changing from one to another moves nothing
    reserve(all, newScale) {
      const heights = all.map((axes) => layOut(context, axes, newScale, root.clientWidth).height);
      root.style.setProperty("min-height", `${Math.max(0, ...heights)}px`);
    },
    show(newPicture, newScale, newMarks) {
      [picture, scale, marks] = [{ ...newPicture, image: pixels(newPicture.map, newScale) }, newScale, newMarks];
      layout = layOut(context, picture.axes, scale, root.clientWidth, picture.beside);
      canvas.setAttribute("aria-label", picture.title);
      draw();
    },
    mark(newMarks) {
      marks = newMarks;
      draw();
    },
    // Middle of a cell, in CSS pixels of the canvas
    middle: (row, column) => ({
      x: layout.left + (column + 0.5) * layout.cell,
      y: layout.top + (row + 0.5) * layout.cell,
    }),
  };
}
