// How to search, as SearchOptions of malaygpt/decode.py name it, and as the controls hold it.

export const DEFAULTS = { num_beams: 4, length_penalty: 1, temperature: null, top_k: 0, top_p: 1, seed: null };
export const GREEDY = { num_beams: 1 };

const FIRST_SAMPLES = { temperature: 1, top_k: 0, top_p: 1, seed: 1 };

// What the controls show: {way: "beams" or "sampling", ...}; what the way that is not taken was set to is kept.
export function settingsOf(options) {
  const whole = { ...DEFAULTS, ...options };
  const isSampling = whole.temperature !== null;
  const drawn = isSampling ? { ...whole, seed: whole.seed ?? FIRST_SAMPLES.seed } : { ...whole, ...FIRST_SAMPLES };
  return isSampling ? { ...drawn, num_beams: DEFAULTS.num_beams, way: "sampling" } : { ...drawn, way: "beams" };
}

// Every option. Beams are searched and samples drawn: whoever samples has one row, and whoever does not, no draws.
export function optionsOf({ way, ...options }) {
  const { temperature, top_k, top_p, seed } = DEFAULTS;
  if (way === "beams") return { ...options, temperature, top_k, top_p, seed };
  return { ...options, num_beams: 1, length_penalty: DEFAULTS.length_penalty };
}

// Those that are not the default, which are the ones to send
export function differing(options) {
  return Object.fromEntries(Object.entries(options).filter(([name, value]) => value !== DEFAULTS[name]));
}

// Whether two searches, of which only what differs need be named, are one
export function isSame(one, other) {
  return Object.keys(DEFAULTS).every((name) => ({ ...DEFAULTS, ...one })[name] === ({ ...DEFAULTS, ...other })[name]);
}
