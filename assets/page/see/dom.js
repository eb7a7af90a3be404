// What every view needs: elements, numbers for people, and the language of the page.

// An element with attributes, listeners (onclick: ...) and children; strings become text, never markup.
export function el(tag, attributes = {}, ...children) {
  const node = tag.includes(":")
    ? document.createElementNS("http://www.w3.org/2000/svg", tag.slice(tag.indexOf(":") + 1))
    : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "data") Object.assign(node.dataset, value);
    else if (name === "style") for (const [key, style] of Object.entries(value)) node.style.setProperty(key, style);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

// Puts values where a template has {names}.
export function fill(template, values) {
  return template.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

// "12 %", "0.4 %", "< 0.1 %"
export function percent(probability) {
  const share = 100 * probability;
  if (share > 0 && share < 0.1) return "< 0.1 %";
  return `${share < 10 && share > 0 ? share.toFixed(1) : Math.round(share)} %`;
}

export function clamp(value, least, most) {
  return Math.min(most, Math.max(least, value));
}
