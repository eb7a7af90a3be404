// Choices of one among a few, as a row of buttons that are radio buttons to the keyboard and the screen reader.

import { el } from "../dom.js";

let numGroups = 0; // radio buttons of one name exclude each other, wherever they stand

export function mountRadios(root, { legend, onchange }) {
  const name = `see-radios-${numGroups++}`;
  const options = el("div", { class: "options" });
  const group = el("fieldset", { class: "radios" }, el("legend", {}, legend), options);
  root.append(group);
  let shown = "";
  group.addEventListener("change", ({ target }) => onchange(target.value));

  return {
    group,
    // choices: [[value, label, title?]]; disabled: greyed out, and none of them chosen
    show(choices, value, disabled = false) {
      const signature = JSON.stringify(choices);
      if (signature !== shown) {
        shown = signature;
        options.replaceChildren(
          ...choices.map(([each, label, title]) =>
            el("label", { title }, el("input", { type: "radio", name, value: each }), el("span", {}, label)),
          ),
        );
      }
      for (const input of options.querySelectorAll("input")) {
        input.checked = !disabled && input.value === String(value);
        input.disabled = disabled;
      }
    },
  };
}

export function mountCheck(root, { label, onchange }) {
  const input = el("input", { type: "checkbox" });
  input.addEventListener("change", () => onchange(input.checked));
  const node = el("label", { class: "check" }, input, el("span", {}, label));
  root.append(node);
  return {
    show: (isChecked) => {
      input.checked = isChecked;
    },
  };
}
