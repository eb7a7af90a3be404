// Arcs between two lines of tokens: from the Malay that is chosen to the English it attended to.

import { el } from "./dom.js";

const LEAST = 0.03; // weights below are not drawn
const WIDEST = 7; // CSS pixels, at a weight of 1

// A curve from the bottom of one box to the top of another, both in the drawing's own pixels
export function path(from, to) {
  const [x1, y1] = [from.left + from.width / 2, from.top + from.height];
  const [x2, y2] = [to.left + to.width / 2, to.top];
  const middle = (y1 + y2) / 2;
  return `M${x1} ${y1}C${x1} ${middle} ${x2} ${middle} ${x2} ${y2}`;
}

export function mountArcs(root) {
  const drawing = el("svg:svg", { class: "arcs", "aria-hidden": "true" });
  root.append(drawing);
  const curves = [];

  return {
    // nodes: the English tokens; to: the Malay one; weights: one for each English token; pointed: their places
    show(nodes, to, weights, pointed, scale) {
      while (curves.length < nodes.length) {
        curves.push(el("svg:path", { fill: "none", "stroke-linecap": "round" }));
        drawing.append(curves.at(-1));
      }
      const origin = drawing.getBoundingClientRect();
      const box = (node) => {
        const { left, top, width, height } = node.getBoundingClientRect();
        return { left: left - origin.left, top: top - origin.top, width, height };
      };
      const target = to && box(to);
      const isDrawn = (i) => target && i < nodes.length && (weights[i] >= LEAST || pointed.includes(i));
      const lines = curves.map((_, i) => (isDrawn(i) ? path(box(nodes[i]), target) : null));
      curves.forEach((curve, i) => {
        curve.style.setProperty("display", lines[i] === null ? "none" : "");
        if (lines[i] === null) return;
        curve.setAttribute("d", lines[i]);
        curve.setAttribute("data-source", i);
        curve.setAttribute("stroke-width", 1 + (WIDEST - 1) * weights[i]);
        curve.setAttribute("stroke", scale.fill(0.25 + 0.75 * weights[i])); // the faintest must still be seen
        curve.classList.toggle("pointed", pointed.includes(i));
      });
    },
  };
}
