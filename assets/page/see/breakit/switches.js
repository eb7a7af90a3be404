// The switches, in groups: each breaks one part of the model.

import { el } from "../dom.js";
import { GROUPS } from "./choosing.js";

// onchange(key, isOn). `blocks` is a node that belongs to the group of that name.
export function mountSwitches(root, { words, parts, blocks, onchange }) {
  const inputs = {};
  const node = el("div", { class: "switches" });
  node.append(...GROUPS.map(([group, keys]) => groupOf(group, keys.filter((key) => key in parts))));
  root.append(node);
  node.addEventListener("change", ({ target }) => {
    if (target.name in inputs) onchange(target.name, target.checked);
  });

  function groupOf(group, keys) {
    const list = el("div", { class: "list" }, keys.map(switchOf));
    const legend = el("legend", {}, words.groups[group]);
    return el("fieldset", { class: "group", data: { group } }, legend, list, group === "blocks" && blocks);
  }

  function switchOf(key) {
    inputs[key] = el("input", { type: "checkbox", role: "switch", name: key });
    const fault = parts[key].from_tutorial && el("span", { class: "fault" }, words.tutorial);
    return el("label", { class: "switch" }, inputs[key], el("span", { class: "name" }, words.parts[key].name, fault));
  }

  return {
    show(on) {
      for (const [key, input] of Object.entries(inputs)) input.checked = on.includes(key);
    },
  };
}
