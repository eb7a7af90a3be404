// What a timeline holds (malaygpt/timeline.py says how), as the view needs it.

const END = "[SEP]";
const FULL = 255; // the byte of a weight of 1

// The cross-attention of a translation: {rows: T, columns: S, weights}. Of one head there is only the last layer's.
export function crossMap(timeline, moment, probe, { layer, head }) {
  const said = timeline.moments[moment].translations[probe];
  const [rows, columns] = [said.pieces.length, timeline.probes[probe].pieces.length];
  const [packed, at] = head === "mean" ? [said.layers, layer] : [said.heads, head];
  const size = rows * columns;
  const bytes = atob(packed).slice(at * size, (at + 1) * size);
  return { rows, columns, weights: Float32Array.from(bytes, (byte) => byte.charCodeAt(0) / FULL) };
}

export function isEnd(piece) {
  return piece === END;
}

export function mean(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

// Of the weights, those of one row, the largest first: [[column, weight]]
export function strongest({ columns, weights }, row, most) {
  const found = [...weights.subarray(row * columns, (row + 1) * columns).entries()];
  return found.sort(([, one], [, other]) => other - one).slice(0, most);
}

// Place of the moment whose step is nearest, where steps are told apart by their logarithm
export function nearest(moments, step) {
  const distances = moments.map((moment) => Math.abs(Math.log1p(moment.step) - Math.log1p(step)));
  return distances.indexOf(Math.min(...distances));
}

// Names of the figures that some moment of the training itself has, of those given
export function known({ moments }, names) {
  return names.filter((name) => moments.some((moment) => moment.step > 0 && moment[name] !== null));
}
