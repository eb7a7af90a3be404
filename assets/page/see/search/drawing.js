// Draws the part of a tree that is in sight on a canvas. What was cut, or given up before the step that is shown, is
// pale; the translation's own path is thick; what is lit (a node and those before it) has an edge in ink.

import { percent } from "../dom.js";
import { figure } from "./figures.js";
import { NODE } from "./layout.js";
import { pathTo } from "./tree.js";

const RADIUS = 7;

// view: {tree, layout, step: the last that is shown, lit: node or null, label(node), words, scale,
// left, width}
export function draw(context, view) {
  const { layout, tree, step, lit, left, width, scale } = view;
  const winning = new Set(tree.winner ? pathTo(tree.winner) : []);
  const bright = new Set(lit ? pathTo(lit) : []);
  const [first, stop] = layout.visible(left, left + width);
  const nodes = layout.columns.slice(first, Math.min(stop, step + 1)).flatMap((column) => column.nodes);
  const style = (node) => ({ isPale: node.until < step, isWinning: winning.has(node), isLit: bright.has(node) });
  context.fillStyle = scale.card;
  context.fillRect(0, 0, width, layout.height);
  context.save();
  context.translate(-left, 0);
  context.textBaseline = "middle";
  drawHeads(context, view, first, stop);
  const weight = (node) => winning.has(node) + 2 * bright.has(node) - (node.until < step);
  const inOrder = [...nodes].sort((one, other) => weight(one) - weight(other)); // what matters lies on top
  for (const node of inOrder) drawEdge(context, view, node, style(node));
  if (first === 0) drawRoot(context, view);
  for (const node of nodes) drawNode(context, view, node, style(node));
  for (const node of nodes) if (node.kind === "row" && isLeafGivenUp(node, view)) drawEnd(context, view, node);
  context.restore();
}

function isLeafGivenUp(node, { tree, step }) {
  return node.until === node.step && node.until < step && node.step < tree.steps.length - 1;
}

function font(context, { scale }, size, weight = 400) {
  context.font = `${weight} ${size}px ${scale.font}`;
}

function drawHeads(context, view, first, stop) {
  const { layout, scale, step } = view;
  font(context, view, 12);
  context.fillStyle = scale.muted;
  for (let at = first; at < stop; at++) context.fillText(String(at + 1), layout.columns[at].x, 12);
  context.strokeStyle = scale.muted;
  context.lineWidth = 1;
  context.setLineDash([2, 4]);
  for (const { x, line: y } of layout.columns.slice(first, Math.min(stop, step + 1))) {
    if (y !== null) line(context, x, y, x + NODE.width, y);
  }
  context.setLineDash([]);
}

function line(context, ...[x, y, toX, toY]) {
  context.beginPath();
  context.moveTo(x, y);
  context.lineTo(toX, toY);
  context.stroke();
}

function drawRoot(context, { layout, scale }) {
  context.fillStyle = scale.accent;
  context.beginPath();
  context.arc(layout.root.x, layout.root.y, 6, 0, 2 * Math.PI);
  context.fill();
}

function drawEdge(context, { layout, scale }, node, { isPale, isWinning, isLit }) {
  const box = layout.boxOf(node);
  const before = node.parent && layout.boxOf(node.parent);
  const from = before ? { x: before.x + before.width, y: before.y + before.height / 2 } : layout.root;
  const to = { x: box.x, y: box.y + box.height / 2 };
  const middle = (from.x + to.x) / 2;
  context.strokeStyle = isLit ? scale.ink : isPale ? scale.line : isWinning ? scale.accent : scale.muted;
  context.lineWidth = isLit ? 3.5 : isWinning ? 3.5 : isPale ? 1 : 1.5;
  context.beginPath();
  context.moveTo(from.x, from.y);
  context.bezierCurveTo(middle, from.y, middle, to.y, to.x, to.y);
  context.stroke();
}

function drawNode(context, view, node, { isPale, isWinning, isLit }) {
  const { layout, scale, label } = view;
  const box = layout.boxOf(node);
  const probability = Math.exp(node.logProb);
  context.beginPath();
  context.roundRect(box.x, box.y, box.width, box.height, node.kind === "ended" ? box.height / 2 : RADIUS);
  context.fillStyle = isPale ? scale.card : scale.fill(probability);
  context.fill();
  const plain = isWinning ? scale.accent : scale.line;
  context.strokeStyle = isLit ? scale.ink : node.kind === "ended" ? scale.thread : plain;
  context.lineWidth = isLit ? 3 : isWinning || node.kind === "ended" ? 2 : 1;
  context.setLineDash(isPale ? [3, 3] : []);
  context.stroke();
  context.setLineDash([]);
  context.fillStyle = isPale ? scale.muted : scale.text(probability);
  const inset = node.kind === "ended" ? 16 : 9;
  if (node.kind === "cut") {
    font(context, view, 12.5);
    const share = percent(probability);
    const room = box.width - 2 * inset - context.measureText(share).width - 6;
    context.fillText(clipped(context, label(node), room), box.x + inset, box.y + box.height / 2 + 1);
    context.textAlign = "right";
    context.fillText(share, box.x + box.width - inset, box.y + box.height / 2 + 1);
    context.textAlign = "left";
    return;
  }
  font(context, view, 14, isWinning ? 650 : 500);
  context.fillText(clipped(context, label(node), box.width - 2 * inset), box.x + inset, box.y + 14);
  font(context, view, 11.5);
  const second = node.kind === "ended" ? figure(node.score) : `${percent(probability)}  ${figure(node.total, 2)}`;
  context.fillText(second, box.x + inset, box.y + 31);
}

// The end of a way that was given up, and when
function drawEnd(context, view, node) {
  const { layout, scale } = view;
  const box = layout.boxOf(node);
  const [x, y] = [box.x + box.width + 8, box.y + box.height / 2];
  context.strokeStyle = scale.muted;
  context.lineWidth = 1.5;
  line(context, box.x + box.width, y, x, y);
  line(context, x, y - 6, x, y + 6);
  font(context, view, 11.5);
  const text = String(node.step + 2);
  context.lineWidth = 4;
  context.strokeStyle = scale.card; // so that it can be read across what runs behind it
  context.lineJoin = "round";
  context.strokeText(text, x + 5, y + 1);
  context.fillStyle = scale.muted;
  context.fillText(text, x + 5, y + 1);
}

function clipped(context, text, width) {
  if (context.measureText(text).width <= width) return text;
  let length = text.length - 1;
  while (length > 1 && context.measureText(`${text.slice(0, length)}…`).width > width) length--;
  return `${text.slice(0, length)}…`;
}
