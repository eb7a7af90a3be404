// Which token a row, a column and a place on the stage are. Kinds of attention: encoder (English to English), decoder
// (Malay to Malay so far) and cross (Malay to English).
//
// Row t of decoder and cross is the choice of tokens[t]. Column 0 of decoder is [CLS], column c is tokens[c - 1]: the
// same as the places on the stage's Malay line, where token t therefore stands at t + 1.

export const KINDS = ["encoder", "decoder", "cross"];
export const CLS = { label: "[CLS]", special: true };

// Tokens, {label, special}, as in pieces.js -> {rows, columns}, those of a map's two axes
export function axes(kind, source, tokens) {
  if (kind === "encoder") return { rows: source, columns: source };
  return { rows: tokens, columns: kind === "cross" ? source : [CLS, ...tokens.slice(0, -1)] };
}

// Places of an axis that are kept, where [CLS] and [SEP] may be hidden
export function kept(axis, hidesSpecial) {
  return [...axis.keys()].filter((i) => !(hidesSpecial && axis[i].special));
}

// The decoder never attends to a later token.
export function isMasked(kind, row, column) {
  return kind === "decoder" && column > row;
}

// What is pointed at: a cell, a row or a column of the map that is shown (null where none), and places on the stage's
// two lines.
export function fromCell(kind, row, column) {
  const english = { encoder: [row, column], decoder: [], cross: [column] }[kind];
  const malay = { encoder: [], decoder: [place(row), column], cross: [place(row)] }[kind];
  const isThere = (each) => each !== null;
  return { row, column, english: english.filter(isThere), malay: malay.filter(isThere) };
}

// At a token of the English line, while the replay stands at `step`
export function fromEnglish(kind, token, step) {
  if (kind === "cross") return fromCell(kind, step, token);
  if (kind === "encoder") return fromCell(kind, token, null);
  return { row: null, column: null, english: [token], malay: [] };
}

// At a place of the Malay line
export function fromMalay(kind, at, step) {
  if (kind === "decoder" && at <= step) return fromCell(kind, step, at);
  if (kind !== "encoder" && at > 0) return fromCell(kind, at - 1, null);
  return { row: null, column: null, english: [], malay: [at] };
}

// A finger that is lifted leaves what it pointed at pointed at.
export function leave(listener) {
  return ({ pointerType }) => pointerType === "touch" || listener();
}

function place(row) {
  return row === null ? null : row + 1;
}
