// The attention of one side of a comparison. Weights are shares of 0 ... 1, or, where malaygpt/comparing.py gives a
// scale, raw scores of any sign and size.

import { clamp } from "../dom.js";
import { headMap, unpack } from "../maps.js";
import { mixed, rgb } from "../scale.js";

const ARM = 127; // steps of colour on either side of zero

// {layers(kind), heads(kind), map(kind, {layer, head: number or "mean"})}; maps as in ../maps.js, `isRaw` besides
export function comparedMaps(json) {
  const packed = Object.fromEntries(["encoder", "decoder", "cross"].map((kind) => [kind, unpack(json[kind])]));

  function one(kind, layer, head) {
    const map = headMap(packed[kind], layer, head);
    const [lowest, highest] = json[kind].scale?.[layer][head] ?? [0, 1];
    return { ...map, weights: map.weights.map((share) => lowest + share * (highest - lowest)) };
  }

  function mean(kind, layer) {
    const maps = Array.from({ length: packed[kind].heads }, (_, head) => one(kind, layer, head));
    const total = (_, i) => maps.reduce((sum, { weights }) => sum + weights[i], 0);
    return { ...maps[0], weights: maps[0].weights.map((weight, i) => total(weight, i) / maps.length) };
  }

  return {
    layers: (kind) => packed[kind].layers,
    heads: (kind) => packed[kind].heads,
    map(kind, { layer, head }) {
      const map = head === "mean" ? mean(kind, layer) : one(kind, layer, head);
      return { ...map, isRaw: Boolean(json[kind].scale) };
    },
  };
}

// The largest weight of a map, whatever its sign
export function largest({ weights }) {
  return weights.reduce((most, weight) => Math.max(most, Math.abs(weight)), 0);
}

// A scale for `pixels` of weights of either sign, up to `most`: from `against`, a css colour, for what is negative,
// over the card, which is zero, to the accent.
export function diverging(scale, against, most) {
  const [negative, none, positive] = [against, scale.card, scale.accent].map(rgb);
  const colours = Array.from({ length: 2 * ARM + 1 }, (_, i) => {
    return mixed(none, i < ARM ? negative : positive, Math.abs(i - ARM) / ARM);
  });
  return {
    ...scale,
    packed: Uint32Array.from(colours, ([r, g, b]) => (255 << 24) | (b << 16) | (g << 8) | r), // as ImageData has it
    index: (weight) => ARM + Math.round(clamp(weight / (most || 1), -1, 1) * ARM),
  };
}

// "−3.25", "1.2E10"
export function score(value, locale) {
  const notation = Math.abs(value) >= 1e6 ? "scientific" : "standard";
  const text = value.toLocaleString(locale, { maximumSignificantDigits: 3, notation });
  return (text === "-0" ? "0" : text).replace("-", "−");
}
