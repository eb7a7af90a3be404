// The distribution that the next token came from: a bar for each of the likeliest and one for all others, as
// temperature, top-k and top-p reshape it; what is cut is hatched.

import { el, fill, percent } from "../dom.js";
import { reshape } from "./sampling.js";

const NUM_ROWS = 8; // as many alternatives as an explanation names

export function mountNext(root, { words }) {
  const title = el("h3");
  const soFar = el("p", { class: "so-far" });
  const list = el("ol", { class: "bars" });
  const note = el("p", { class: "note" });
  const how = el("p", { class: "note how" });
  root.append(el("section", { class: "card next" }, title, soFar, list, note, how));
  const bars = Array.from({ length: NUM_ROWS + 1 }, () => {
    const parts = {
      node: el("li"),
      label: el("span", { class: "label" }),
      fill: el("span", { class: "fill" }),
      own: el("span", { class: "own" }),
      share: el("span", { class: "share" }),
    };
    const track = el("span", { class: "track", "aria-hidden": "true" }, parts.fill, parts.own);
    parts.node.append(parts.label, track, parts.share);
    list.append(parts.node);
    return parts;
  });

  function write(bar, { label, own, tempered, drawn, state, isChosen, isSampling }) {
    bar.node.classList.remove("empty");
    bar.node.classList.toggle("chosen", Boolean(isChosen));
    for (const each of ["cut", "partly"]) bar.node.classList.toggle(each, state === each);
    bar.label.textContent = label;
    bar.fill.style.setProperty("clip-path", `inset(0 ${100 * (1 - tempered)}% 0 0)`); // which leaves hatching as it is
    bar.own.style.setProperty("left", `${100 * own}%`);
    bar.own.hidden = !isSampling;
    bar.share.textContent = state === "cut" ? words.isCut : percent(drawn);
  }

  return {
    // token: of the sentence; options: of the search; before: what was said
    show({ token, options, label, step, before }) {
      const isSampling = options.temperature !== null;
      title.textContent = fill(words.nextAt, { step: step + 1 });
      soFar.textContent = before ? fill(words.after, { before }) : words.nothingYet;
      const { rows, rest, isEstimate } = reshape(token, options);
      bars.slice(0, NUM_ROWS).forEach((bar, i) => {
        if (i >= rows.length) return blank(bar);
        const { id, isCut } = rows[i];
        const state = isCut ? "cut" : "kept";
        return write(bar, { ...rows[i], label: label(id), state, isChosen: id === token.id, isSampling });
      });
      write(bars[NUM_ROWS], { ...rest, label: words.allOthers, isSampling });
      note.textContent = words.eight;
      how.textContent = isEstimate ? words.estimated : isSampling ? words.sampled : words.searched;
    },
  };

  function blank(bar) {
    bar.node.className = "empty";
    for (const each of [bar.label, bar.share]) each.textContent = "";
  }
}
