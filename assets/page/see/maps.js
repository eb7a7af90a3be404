// Attention as numbers. What the server sends is four-dimensional bytes; what is drawn is a map of two dimensions:
// {rows, columns, weights}, weights a Float32Array of 0 ... 1, row by row. A row is what attends, a column what it
// attends to.

const FULL = 255; // the byte that stands for a weight of 1

// {shape: [L, H, N, M], data: base64} -> {layers, heads, rows, columns, bytes}. Throws Error when the two disagree.
export function unpack({ shape, data }) {
  const [layers, heads, rows, columns] = shape;
  const text = atob(data);
  if (text.length !== layers * heads * rows * columns) {
    const sizes = shape.join(" x ");
    throw new Error(`Attention of shape ${sizes} has ${text.length} bytes; send the two from one sentence.`);
  }
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return { layers, heads, rows, columns, bytes };
}

export function headMap({ heads, rows, columns, bytes }, layer, head) {
  const size = rows * columns;
  const start = (layer * heads + head) * size;
  const weights = new Float32Array(size);
  for (let i = 0; i < size; i++) weights[i] = bytes[start + i] / FULL;
  return { rows, columns, weights };
}

export function meanOfHeads({ heads, rows, columns, bytes }, layer) {
  const size = rows * columns;
  const weights = new Float32Array(size);
  for (let head = 0, at = layer * heads * size; head < heads; head++) {
    for (let i = 0; i < size; i++, at++) weights[i] += bytes[at];
  }
  for (let i = 0; i < size; i++) weights[i] /= FULL * heads;
  return { rows, columns, weights };
}

// Attention rollout (Abnar & Zuidema, 2020): what reached each position from each input, when every block hands on half
// of what it had (the residual connection) and half of what it gathered (the mean of its heads).
export function rollout(maps) {
  let reached = identity(maps.rows);
  for (let layer = 0; layer < maps.layers; layer++) reached = halfGathered(reached, meanOfHeads(maps, layer), reached);
  return reached;
}

// The same for the English that reached each choice, through self-attention, cross-attention and the whole encoder.
// What came from the Malay is left out and each row scaled to add up to 1.
export function crossRollout(encoder, decoder, cross) {
  const memory = rollout(encoder);
  let reached = { rows: cross.rows, columns: cross.columns, weights: new Float32Array(cross.rows * cross.columns) };
  for (let layer = 0; layer < cross.layers; layer++) {
    reached = halfGathered(reached, meanOfHeads(decoder, layer), reached);
    reached = halfGathered(reached, meanOfHeads(cross, layer), memory);
  }
  return keep(reached, range(cross.rows), range(cross.columns));
}

// Only these rows and columns, each row scaled to add up to 1 again; a row of which nothing is left stays 0.
export function keep(map, rows, columns) {
  const weights = new Float32Array(rows.length * columns.length);
  rows.forEach((row, i) => {
    let sum = 0;
    for (const column of columns) sum += map.weights[row * map.columns + column];
    if (sum === 0) return;
    columns.forEach((column, j) => {
      weights[i * columns.length + j] = map.weights[row * map.columns + column] / sum;
    });
  });
  return { rows: rows.length, columns: columns.length, weights };
}

export function range(length) {
  return Array.from({ length }, (_, i) => i);
}

// The maps of one sentence, from attention_json: map("cross", {layer: 0, head: 3 | "mean"}) or {layer: "rollout"}.
export function attentionMaps(json) {
  const packed = { encoder: unpack(json.encoder), decoder: unpack(json.decoder), cross: unpack(json.cross) };
  const rollouts = {}; // made when first asked for: of long sentences they take a while
  const rolledOut = (kind) =>
    kind === "cross" ? crossRollout(packed.encoder, packed.decoder, packed.cross) : rollout(packed[kind]);
  return {
    layers: (kind) => packed[kind].layers,
    heads: (kind) => packed[kind].heads,
    shape: (kind) => [packed[kind].layers, packed[kind].heads, packed[kind].rows, packed[kind].columns],
    map(kind, { layer, head }) {
      if (layer === "rollout") return (rollouts[kind] ??= rolledOut(kind));
      return head === "mean" ? meanOfHeads(packed[kind], layer) : headMap(packed[kind], layer, head);
    },
  };
}

function identity(length) {
  const weights = new Float32Array(length * length);
  for (let i = 0; i < length; i++) weights[i * length + i] = 1;
  return { rows: length, columns: length, weights };
}

// (had + attention x given) / 2
function halfGathered(had, attention, given) {
  const { columns, weights: handed } = given;
  const weights = had.weights.map((weight) => weight / 2);
  for (let row = 0; row < attention.rows; row++) {
    for (let middle = 0; middle < attention.columns; middle++) {
      const share = attention.weights[row * attention.columns + middle] / 2;
      if (share === 0) continue; // most weights of a long sentence are
      for (let to = row * columns, from = middle * columns; from < (middle + 1) * columns; to++, from++) {
        weights[to] += share * handed[from];
      }
    }
  }
  return { rows: attention.rows, columns, weights };
}
