// The model in numbers, each linked to the line of the code that does it.

import { el } from "../dom.js";

const FIGURES = [
  "num_parameters",
  "vocab_size",
  "d_model",
  "num_heads",
  "d_head",
  "d_ff",
  "num_encoder_blocks",
  "num_decoder_blocks",
];

export function mountFigures(root, { words }) {
  const list = el("dl");
  const node = el("details", { class: "figures" }, el("summary", {}, words.figures), list);
  root.append(node);

  return {
    // model: as malaygpt/model.py's ModelConfig, or absent; shapes: {encoder: [L, H, S, S], decoder, cross}
    show(model, shapes) {
      const known = FIGURES.filter((name) => model && name in model);
      const numbers = known.map((name) => [name, model[name].toLocaleString("en")]);
      const sizes = Object.entries(shapes).map(([name, shape]) => [name, shape.join(" × ")]);
      list.replaceChildren(
        ...[...numbers, ...sizes].map(([name, figure]) => {
          const url = model?.links?.[name];
          const link = url && el("a", { href: url, target: "_blank", rel: "noopener" }, figure);
          return el("div", { data: { name } }, el("dt", {}, words.figure[name]), el("dd", {}, link || figure));
        }),
      );
    },
  };
}
