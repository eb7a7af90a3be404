// The tree as a thing to look at: drawn where it is scrolled to, pointed at with the pointer or moved about in with the
// arrow keys, and told in words for those who do not see it.

import { clamp, el, percent } from "../dom.js";
import { figure } from "./figures.js";
import { draw } from "./drawing.js";
import { layOut } from "./layout.js";

let numTrees = 0; // so that the id of the node in focus is the only one of its name

// onpoint(node or null); describe(node) -> what is said of it
export function mountBeamTree(root, { words, onpoint, describe }) {
  const canvas = el("canvas", { class: "map", "aria-hidden": "true" });
  const id = `beam-tree-${numTrees++}`;
  // By turns, as a screen reader reads on only when another becomes the active one.
  const items = ["a", "b"].map((turn) => el("span", { role: "treeitem", id: `${id}-${turn}`, hidden: true }));
  const focus = el("div", { class: "focus", role: "tree", tabindex: 0, "aria-label": words.treeLabel });
  focus.append(...items);
  const spacer = el("div", { class: "spacer" }, canvas, focus);
  const scroller = el("div", { class: "scroller" }, spacer);
  root.append(scroller);
  let view = null;
  let step = 0;
  let lit = null;
  let frame = null;

  scroller.addEventListener("scroll", () => soon());
  focus.addEventListener("pointermove", (event) => point(nodeAt(event)));
  focus.addEventListener("pointerdown", (event) => point(nodeAt(event)));
  focus.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && point(null));
  focus.addEventListener("keydown", (event) => move(event));
  focus.addEventListener("focus", () => focus.matches(":focus-visible") && !lit && point(start()));
  const resized = new ResizeObserver(() => soon());
  resized.observe(scroller);

  function nodeAt({ clientX, clientY }) {
    if (!view) return null;
    const { left, top } = spacer.getBoundingClientRect();
    const node = view.layout.at(clientX - left, clientY - top);
    return node && node.step <= step ? node : null;
  }

  function start() {
    const { tree } = view;
    let node = tree.winner;
    while (node && node.step > step) node = node.parent;
    return node ?? tree.steps[step].kept[0] ?? null;
  }

  const MOVES = {
    ArrowLeft: (node) => node.parent,
    ArrowRight: ({ children }) => children.find((child) => child.step <= step && isDrawn(child)),
    ArrowUp: (node) => sibling(node, -1),
    ArrowDown: (node) => sibling(node, 1),
    Home: () => view.layout.columns[0].nodes[0],
    End: () => view.layout.columns[step].nodes[0],
  };

  function move(event) {
    const { key, altKey, ctrlKey, metaKey } = event;
    if (!view || !(key in MOVES) || altKey || ctrlKey || metaKey) return;
    event.preventDefault();
    const node = lit ? MOVES[key](lit) : start();
    if (!node) return;
    point(node);
    reveal(node.step);
  }

  const isDrawn = (node) => view.layout.columns[node.step].nodes.includes(node);

  function sibling(node, by) {
    const { nodes } = view.layout.columns[node.step];
    return nodes[nodes.indexOf(node) + by];
  }

  function point(node) {
    if (node === lit) return;
    lit = node;
    name();
    soon();
    onpoint(node);
  }

  function name() {
    const aim = lit ?? (view ? start() : null);
    if (!aim) return focus.removeAttribute("aria-activedescendant");
    const { nodes } = view.layout.columns[aim.step];
    const attributes = {
      "aria-label": describe(aim),
      "aria-level": aim.step + 1,
      "aria-posinset": nodes.indexOf(aim) + 1,
      "aria-setsize": nodes.length,
      "aria-selected": String(aim === lit),
    };
    const [item, other] = items[0].hidden ? items : [...items].reverse();
    for (const [key, value] of Object.entries(attributes)) item.setAttribute(key, value);
    item.hidden = false;
    other.hidden = true;
    return focus.setAttribute("aria-activedescendant", item.id);
  }

  // So that this step's column, and the one after, are in sight
  function reveal(at) {
    const { x } = view.layout.columns[at];
    const least = x + 170 - scroller.clientWidth;
    scroller.scrollLeft = clamp(scroller.scrollLeft, least, Math.max(least, at === 0 ? 0 : x - 20));
  }

  function soon() {
    frame ??= requestAnimationFrame(() => {
      frame = null;
      redraw();
    });
  }

  function redraw() {
    const width = scroller.clientWidth;
    if (!view || width === 0) return; // nothing to draw, or not on the page yet
    const ratio = window.devicePixelRatio || 1;
    const { height } = view.layout;
    const size = [Math.round(width * ratio), Math.round(height * ratio)];
    if (canvas.width !== size[0] || canvas.height !== size[1]) {
      [canvas.width, canvas.height] = size;
      Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` });
    }
    const context = canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    draw(context, { ...view, step, lit, left: scroller.scrollLeft, width });
  }

  return {
    // label(node): its token; scale: as readScale gives it; at: the last step to show
    show({ tree, label, scale, at, fromStart }) {
      const layout = layOut(tree);
      [view, step, lit] = [{ tree, layout, label, scale }, at, null];
      Object.assign(spacer.style, { width: `${layout.width}px`, height: `${layout.height}px` });
      if (fromStart) scroller.scrollLeft = 0;
      name();
      redraw();
    },
    go(at) {
      step = at;
      if (lit?.step > at) point(null);
      reveal(at);
      name();
      redraw();
    },
    restyle(scale) {
      if (view) view.scale = scale;
      redraw();
    },
    clear: () => point(null),
    destroy() {
      cancelAnimationFrame(frame);
      resized.disconnect();
    },
  };
}

// The whole tree in words: a list with a line for each step
export function told({ steps }, words, label) {
  const one = (node) => {
    const share = percent(Math.exp(node.logProb));
    return node.kind === "ended"
      ? `${label(node)} (${words.figures.score} ${figure(node.score)})`
      : `${label(node)} (${share}; ${figure(node.total, 2)})`;
  };
  return el("ol", {}, steps.map(({ kept, cut }) => {
    const lines = [["row", kept], ["ended", kept], ["cut", cut]].map(([kind, nodes]) => {
      const texts = nodes.filter((node) => node.kind === kind).map(one);
      return texts.length > 0 ? `${words.told[kind]}: ${texts.join(", ")}.` : "";
    });
    return el("li", {}, lines.filter(Boolean).join(" "));
  }));
}
