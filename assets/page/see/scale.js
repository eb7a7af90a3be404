// The one colour scale for attention and probability: from the page's --card to its --accent in even steps of OKLab
// (Ottosson, 2020), so that lightness alone tells the order.

const STEPS = 256;
const LEAST_CONTRAST = 4.5; // WCAG 2, AA

// From the variables that hold at `node`: {card, ink, ...: css colours; packed: pixels; index, fill, text: of a weight}
export function readScale(node) {
  const style = getComputedStyle(node);
  const colour = (name) => style.getPropertyValue(name).trim();
  const [from, to, ink] = ["--card", "--accent", "--ink"].map((name) => rgb(colour(name)));
  const steps = Array.from({ length: STEPS }, (_, i) => mixed(from, to, i / (STEPS - 1)));
  const fills = steps.map((step) => `rgb(${step.join(" ")})`);
  const texts = steps.map((step) => readable(step, ink));
  const index = (weight) => Math.round(Math.min(1, Math.max(0, weight)) * (STEPS - 1));
  return {
    card: colour("--card"),
    ink: colour("--ink"),
    muted: colour("--muted"),
    line: colour("--line"),
    accent: colour("--accent"),
    thread: colour("--thread"),
    font: style.fontFamily,
    packed: Uint32Array.from(steps, ([r, g, b]) => (255 << 24) | (b << 16) | (g << 8) | r), // as ImageData has them
    index,
    fill: (weight) => fills[index(weight)],
    text: (weight) => texts[index(weight)],
  };
}

// "#rrggbb" -> [r, g, b], each 0 ... 255
export function rgb(hex) {
  const digits = hex.length === 4 ? [...hex.slice(1)].map((digit) => digit + digit).join("") : hex.slice(1);
  return [0, 2, 4].map((at) => parseInt(digits.slice(at, at + 2), 16));
}

export function mixed(from, to, share) {
  const [a, b] = [oklab(from), oklab(to)];
  return fromOklab(a.map((value, i) => value + (b[i] - value) * share));
}

export function contrast(one, other) {
  const [darker, lighter] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (lighter + 0.05) / (darker + 0.05);
}

// The ink where it can be read, else black or white, one of which always can.
function readable(background, ink) {
  if (contrast(background, ink) >= LEAST_CONTRAST) return `rgb(${ink.join(" ")})`;
  return contrast(background, [0, 0, 0]) >= contrast(background, [255, 255, 255]) ? "#000" : "#fff";
}

export function luminance(colour) {
  const [r, g, b] = colour.map(linear);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function linear(channel) {
  const share = channel / 255;
  return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
}

function gamma(share) {
  const channel = share <= 0.0031308 ? 12.92 * share : 1.055 * share ** (1 / 2.4) - 0.055;
  return Math.round(255 * Math.min(1, Math.max(0, channel)));
}

export function oklab(colour) {
  const [r, g, b] = colour.map(linear);
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return [
    0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
  ];
}

function fromOklab([lightness, a, b]) {
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ].map(gamma);
}

// Calls `react` whenever the page may have gone from light to dark or back; the observer is to be disconnected.
export function watchThemes(react) {
  const themes = new MutationObserver(() => react());
  for (const each of [document.documentElement, document.body]) themes.observe(each, { attributeFilter: ["class"] });
  return themes;
}
