// What the model held likely at a step: a bar for each alternative, the chosen one marked, and what the rest has.

import { el, fill, percent } from "../dom.js";

// A token of an Explanation -> {rows: [{id, probability, isChosen}], rest, likelier}: the alternatives, likeliest
// first, and the chosen token at the end where it is none of them; `likelier` is the id that was passed over, or null.
export function ranked(token) {
  const row = (id, logProb) => ({ id, probability: Math.exp(logProb), isChosen: id === token.id });
  const rows = token.alternatives.map(([id, logProb]) => row(id, logProb));
  if (!rows.some(({ isChosen }) => isChosen)) rows.push(row(token.id, token.log_prob));
  const rest = Math.max(0, 1 - rows.reduce((sum, { probability }) => sum + probability, 0));
  const likeliest = token.alternatives[0]?.[0] ?? token.id;
  return { rows, rest, likelier: likeliest === token.id ? null : likeliest };
}

export function mountChoices(root, { words }) {
  const title = el("h3");
  const soFar = el("p", { class: "so-far" });
  const list = el("ol", { class: "bars" });
  const rest = el("p", { class: "rest note" });
  const remark = el("p", { class: "remark" });
  root.append(el("section", { class: "choices" }, title, soFar, list, rest, remark));
  const bars = [];

  function bar() {
    const parts = {
      node: el("li"),
      label: el("span", { class: "label" }),
      fill: el("span", { class: "fill" }),
      share: el("span", { class: "share" }),
      mark: el("span", { class: "mark" }),
    };
    const track = el("span", { class: "track", "aria-hidden": "true" }, parts.fill);
    parts.node.append(parts.label, track, parts.share, parts.mark);
    return parts;
  }

  return {
    // As many bars as any step of the sentence needs, so that nothing moves between steps
    reserve(tokens) {
      const most = Math.max(0, ...tokens.map((token) => ranked(token).rows.length));
      while (bars.length < most) {
        bars.push(bar());
        list.append(bars.at(-1).node);
      }
      bars.splice(most).forEach(({ node }) => node.remove());
    },
    // token: of the Explanation; label(id): its text; before: the Malay so far; isForced: it was given, not chosen
    show({ token, label, step, numSteps, before, isForced }) {
      const { rows, rest: others, likelier } = ranked(token);
      title.textContent = fill(words.stepOf, { step: step + 1, steps: numSteps });
      soFar.textContent = before === "" ? words.nothingYet : fill(words.after, { before });
      bars.forEach((each, i) => {
        const row = rows[i];
        each.node.classList.toggle("empty", !row);
        each.node.toggleAttribute("aria-hidden", false);
        if (!row) return each.node.setAttribute("aria-hidden", "true");
        each.node.classList.toggle("chosen", row.isChosen);
        each.label.textContent = label(row.id);
        each.fill.style.setProperty("transform", `scaleX(${row.probability})`);
        each.share.textContent = percent(row.probability);
        each.mark.textContent = row.isChosen ? (isForced ? words.given : words.chosen) : "";
      });
      rest.textContent = fill(words.rest, { share: percent(others) });
      remark.textContent = isForced
        ? words.forced
        : likelier === null
          ? ""
          : fill(words.passedOver, { chosen: label(token.id), likelier: label(likelier) });
    },
  };
}
