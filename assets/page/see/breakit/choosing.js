// Which parts are broken. A choice is {on: [key], which: {key: {kind, layer, head}}}; parts are those of
// malaygpt/comparing.py's parts_json, by key.

export const GROUPS = [
  ["positions", ["no_positions", "wrong_positions"]],
  ["masks", ["no_causal_mask", "inverted_causal_mask"]],
  ["arithmetic", ["raw_scores", "no_scaling"]],
  ["stream", ["no_residual", "no_norm", "scalar_gain"]],
  ["blocks", ["no_head", "no_layer", "repeated_block", "no_cross_attention"]],
];

// What is on once `key` is, in the order of the parts: those that replace the same part go off.
export function withOn(on, key, parts) {
  const { replaces } = parts[key];
  const excluded = (each) => replaces !== "" && each !== key && parts[each].replaces === replaces;
  return Object.keys(parts).filter((each) => each === key || (on.includes(each) && !excluded(each)));
}

// As the server reads them: "no_positions", "no_head:cross.1.3"
export function written({ on, which }, parts) {
  return on.map((key) => {
    const values = parts[key].needs.map((name) => which[key][name]);
    return values.length > 0 ? `${key}:${values.join(".")}` : key;
  });
}

// Which head and which block are chosen before anybody has: those of the last cross-attention, and of the encoder's end
export function firstOnes({ encoder, decoder }) {
  return { no_head: { kind: "cross", layer: decoder - 1, head: 0 }, no_layer: { kind: "encoder", layer: encoder - 1 } };
}

// Where the attention shows most of what is broken: {kind, layer, head}, or what of it matters
export function placeToLook(key, { no_head: head, no_layer: layer }) {
  const places = {
    no_positions: { kind: "encoder", layer: 0, head: "mean" },
    wrong_positions: { kind: "encoder", layer: 0, head: "mean" },
    no_causal_mask: { kind: "decoder" },
    inverted_causal_mask: { kind: "decoder" },
    no_head: head,
    no_layer: { ...layer, head: "mean" },
    no_cross_attention: { kind: "cross" },
  };
  return places[key] ?? {};
}
