// The map of cross-attention at a moment: as the Inside view draws maps (../heatmap.js), but in a room that is the same
// at every moment, so that the columns stay where they are while the rows change.

import { clamp, el } from "../dom.js";
import { font, pixels, short } from "../heatmap.js";
import { leave } from "../inside/linking.js";

const ROWS_HEIGHT = 340; // CSS pixels, as all below
const TALLEST = 26;
const WIDEST = 40;
const LEAST_FOR_LABEL = 11; // smaller cells share a label
const GAP = 6;
const MOST_LABELS = 0.32; // share of the room that labels may take

// Where everything goes: `widest` and `deepest` are the lengths of the longest labels of rows and columns
export function layOut(room, { rows, columns, widest, deepest }) {
  const left = Math.min(widest, Math.floor(room * MOST_LABELS)) + GAP;
  const top = deepest + GAP;
  const width = clamp(Math.floor((room - left - 2) / columns), 1, WIDEST);
  const height = Math.min(TALLEST, ROWS_HEIGHT / rows);
  return { left, top, cell: { width, height }, width: left + width * columns + 2, height: top + ROWS_HEIGHT + 2 };
}

export function cellAt({ left, top, cell }, { rows, columns }, x, y) {
  const [row, column] = [Math.floor((y - top) / cell.height), Math.floor((x - left) / cell.width)];
  if (row < 0 || column < -1 || x < 0 || row >= rows.length || column >= columns.length) return null;
  return { row, column: x < left ? null : column };
}

// onpoint({row, column: or null} or null) as the pointer or the arrow keys move
export function mountMap(root, { onpoint }) {
  const canvas = el("canvas", { class: "map", tabindex: 0, role: "application" });
  const context = canvas.getContext("2d");
  root.append(canvas);
  let labels = []; // of rows, at all moments
  let picture = null;
  let scale = null;
  let layout = null;
  let marks = {};

  const at = ({ offsetX, offsetY }) => picture && cellAt(layout, picture, offsetX, offsetY);
  canvas.addEventListener("pointermove", (event) => onpoint(at(event)));
  canvas.addEventListener("pointerdown", (event) => onpoint(at(event)));
  canvas.addEventListener("pointerleave", leave(() => onpoint(null)));
  canvas.addEventListener("blur", () => onpoint(null));
  canvas.addEventListener("keydown", (event) => {
    if (!picture) return;
    const ends = { Home: [0, -picture.columns.length], End: [0, picture.columns.length] };
    const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1], ...ends };
    if (!(event.key in moves)) return;
    event.preventDefault();
    const isBegun = Number.isInteger(marks.row) && Number.isInteger(marks.column);
    const [down, right] = isBegun ? moves[event.key] : [0, 0];
    onpoint({
      row: clamp((marks.row ?? 0) + down, 0, picture.rows.length - 1),
      column: clamp((marks.column ?? 0) + right, 0, picture.columns.length - 1),
    });
  });

  function draw() {
    const density = window.devicePixelRatio || 1;
    const size = [layout.width, layout.height].map((length) => Math.round(length * density));
    if (canvas.width !== size[0] || canvas.height !== size[1]) [canvas.width, canvas.height] = size;
    canvas.style.setProperty("width", `${layout.width}px`);
    canvas.style.setProperty("height", `${layout.height}px`);
    context.setTransform(density, 0, 0, density, 0, 0);
    context.fillStyle = scale.card;
    context.fillRect(0, 0, layout.width, layout.height);
    drawCells();
    drawLabels();
    drawMarks();
  }

  function drawCells() {
    const { left, top, cell } = layout;
    const [width, height] = [cell.width * picture.columns.length, cell.height * picture.rows.length];
    context.imageSmoothingEnabled = false;
    context.drawImage(picture.image, left, top, width, height);
    context.strokeStyle = scale.line;
    context.lineWidth = 1;
    context.strokeRect(left - 0.5, top - 0.5, width + 1, height + 1);
  }

  function drawLabels() {
    const { left, top, cell } = layout;
    context.font = font(scale);
    context.textBaseline = "middle";
    context.textAlign = "right";
    writeAxis(picture.rows, cell.height, marks.row, (text, i) =>
      context.fillText(text, left - GAP, top + (i + 0.5) * cell.height, left - GAP),
    );
    context.textAlign = "left";
    writeAxis(picture.columns, cell.width, marks.column, (text, i) => {
      context.save();
      context.translate(left + (i + 0.5) * cell.width, top - GAP);
      context.rotate(-Math.PI / 2);
      context.fillText(text, 0, 0);
      context.restore();
    });
  }

  // Where cells share a label, those beside the marked one give way to it.
  function writeAxis(axis, size, marked, write) {
    const every = Math.ceil(LEAST_FOR_LABEL / size);
    const isMarked = Number.isInteger(marked);
    axis.forEach((label, i) => {
      if (i !== marked && (i % every !== 0 || (isMarked && Math.abs(marked - i) < every))) return;
      context.fillStyle = i === marked ? scale.ink : scale.muted;
      write(short(label), i);
    });
  }

  function drawMarks() {
    const { left, top, cell } = layout;
    const { row, column } = marks;
    const outline = (colour, width, ...box) => {
      context.strokeStyle = colour;
      context.lineWidth = width;
      context.strokeRect(...box);
    };
    const [width, height] = [cell.width * picture.columns.length, cell.height * picture.rows.length];
    if (Number.isInteger(row)) outline(scale.thread, 2, left, top + row * cell.height, width, cell.height);
    if (Number.isInteger(column)) outline(scale.muted, 1, left + column * cell.width, top, cell.width, height);
    if (Number.isInteger(row) && Number.isInteger(column)) {
      outline(scale.ink, 2, left + column * cell.width, top + row * cell.height, cell.width, cell.height);
    }
  }

  function longest(all) {
    return Math.ceil(Math.max(0, ...all.map((label) => context.measureText(short(label)).width)));
  }

  return {
    // Labels of the rows of all moments
    reserve(all) {
      labels = [...new Set(all)];
    },
    // map: {rows, columns, weights}; rows and columns: their labels
    show({ map, rows, columns, title }, newScale) {
      [picture, scale, marks] = [{ rows, columns, image: pixels(map, newScale) }, newScale, {}];
      context.font = font(scale);
      const lengths = { widest: longest(labels), deepest: longest(columns) };
      layout = layOut(root.clientWidth, { rows: rows.length, columns: columns.length, ...lengths });
      canvas.setAttribute("aria-label", title);
      draw();
    },
    mark(newMarks) {
      marks = newMarks;
      draw();
    },
  };
}
