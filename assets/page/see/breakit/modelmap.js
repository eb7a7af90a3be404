// A small map of the model, its blocks and their heads: one block can be chosen, and one head. To the keyboard and the
// screen reader it is two groups of radio buttons, the names of which say where they are.

import { el, fill } from "../dom.js";

let numMaps = 0; // radio buttons of one name exclude each other, wherever they stand

// shape: {encoder, decoder, heads}; onchange("no_head" or "no_layer", {kind, layer, head?})
export function mountModelMap({ words, shape, onchange }) {
  const names = { no_head: `see-heads-${numMaps}`, no_layer: `see-layers-${numMaps++}` };
  const choices = new Map(); // input -> [key, which]
  const node = el("div", { class: "model-map", role: "group", "aria-label": words.map });
  node.style.setProperty("--heads", shape.heads);
  node.append(stack("encoder", ["encoder"]), stack("decoder", ["decoder", "cross"]));
  node.addEventListener("change", ({ target }) => onchange(...choices.get(target)));

  function radio(key, which, label, text) {
    const input = el("input", { type: "radio", name: names[key], "aria-label": label });
    choices.set(input, [key, which]);
    return el("label", { class: key === "no_head" ? "head" : "block", title: label }, input, el("span", {}, text));
  }

  function stack(kind, attentions) {
    const blocks = Array.from({ length: shape[kind] }, (_, layer) => {
      const label = fill(words.skip, { layer: layer + 1, stack: words.stacks[kind].toLowerCase() });
      const block = radio("no_layer", { kind, layer }, label, String(layer + 1));
      return el("div", { class: "row" }, block, el("div", {}, attentions.map((each) => heads(each, layer))));
    });
    return el("div", { class: "stack" }, el("p", { class: "stack-name" }, words.stacks[kind]), blocks);
  }

  function heads(kind, layer) {
    const all = Array.from({ length: shape.heads }, (_, head) => {
      const where = { kind: words.kindTitles[kind].toLowerCase(), layer: layer + 1, head: head + 1 };
      const label = fill(words.silence, where);
      return radio("no_head", { kind, layer, head }, label, String(head + 1));
    });
    return el("div", { class: "heads" }, all, el("span", { class: "what" }, words.short[kind]));
  }

  return {
    node,
    // on: keys; which: {no_head, no_layer}. What is off is not chosen.
    show({ on, which }) {
      for (const [input, [key, place]] of choices) {
        const isIt = Object.entries(place).every(([name, value]) => which[key][name] === value);
        input.checked = on.includes(key) && isIt;
      }
    },
  };
}
