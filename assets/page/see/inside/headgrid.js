// Every head of every layer at once, small; choosing one shows it large.

import { el, fill } from "../dom.js";
import { pixels } from "../heatmap.js";

export function mountHeadGrid(root, { words, onpick }) {
  const node = el("div", { class: "head-grid", role: "group", "aria-label": words.allHeads });
  root.append(node);
  let cells = [];
  let layers = 0;
  let heads = 0;
  node.addEventListener("click", ({ target }) => {
    const at = cells.findIndex(({ button }) => button.contains(target));
    if (at >= 0) onpick(Math.floor(at / heads), at % heads);
  });

  function build() {
    cells = Array.from({ length: layers * heads }, (_, i) => {
      const title = fill(words.headOf, { layer: Math.floor(i / heads) + 1, head: (i % heads) + 1 });
      const holder = el("span", { class: "thumb" });
      const button = el("button", { type: "button", "aria-label": title, title }, holder);
      return { button, holder };
    });
    const corner = el("span", {});
    const heading = (text) => el("span", { class: "heading" }, text);
    const headings = Array.from({ length: heads }, (_, head) => heading(fill(words.headShort, { head: head + 1 })));
    const rows = Array.from({ length: layers }, (_, layer) => [
      heading(fill(words.layerShort, { layer: layer + 1 })),
      ...cells.slice(layer * heads, (layer + 1) * heads).map(({ button }) => button),
    ]);
    node.style.setProperty("--heads", heads);
    node.replaceChildren(corner, ...headings, ...rows.flat());
  }

  return {
    node,
    // mapOf(layer, head) gives what to draw; chosen: {layer, head}
    show({ numLayers, numHeads, mapOf, chosen, scale }) {
      if (numLayers !== layers || numHeads !== heads) {
        [layers, heads] = [numLayers, numHeads];
        build();
      }
      cells.forEach(({ button, holder }, i) => {
        const [layer, head] = [Math.floor(i / heads), i % heads];
        const canvas = pixels(mapOf(layer, head), scale);
        canvas.setAttribute("aria-hidden", "true");
        holder.replaceChildren(canvas);
        button.setAttribute("aria-pressed", String(chosen.layer === layer && chosen.head === head));
      });
    },
  };
}
