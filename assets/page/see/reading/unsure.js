// While a text streams: what the model is not sure of, in a paler ink. It is the browser's to paint over the text (CSS
// custom highlights), so that the text itself stays one node, is not laid out anew and can be marked and copied as
// ever. A browser without highlights shows it all in the same ink.

const NAME = "reading-unsure"; // as in reading.css
const LEAST = 0.5; // the probability under which malaygpt/explain.py calls a word unlikely

// [[start, stop]] of what is unsure in a text that ends with these tokens, [[text, probability]]; none if it does not
export function unsureSpans(text, tokens) {
  const said = tokens.map(([piece]) => piece).join("");
  if (!text.endsWith(said)) return [];
  const spans = [];
  let end = text.length - said.length;
  for (const [piece, probability] of tokens) {
    const start = end;
    end += piece.length;
    if (probability >= LEAST || !piece) continue;
    if (spans.at(-1)?.[1] === start) spans.at(-1)[1] = end;
    else spans.push([start, end]);
  }
  return spans;
}

export class Unsure {
  #ranges = [];
  #highlight = typeof Highlight === "undefined" ? null : new Highlight();

  // Marks these spans of a text node, and no others. What is marked already stays.
  mark(node, spans) {
    if (this.#highlight === null) return;
    CSS.highlights.set(NAME, this.#highlight);
    let same = 0;
    while (same < spans.length && isAt(this.#ranges[same], node, spans[same])) same++;
    for (const range of this.#ranges.splice(same)) this.#highlight.delete(range);
    for (const span of spans.slice(same)) this.#add(node, span);
  }

  clear() {
    this.#ranges = [];
    this.#highlight?.clear();
    if (this.#highlight && CSS.highlights.get(NAME) === this.#highlight) CSS.highlights.delete(NAME);
  }

  #add(node, [start, stop]) {
    const range = new Range();
    range.setStart(node, start);
    range.setEnd(node, stop);
    this.#ranges.push(range);
    this.#highlight.add(range);
  }
}

// A range is moved by the browser with the text around it, so that where it is now is what counts.
function isAt(range, node, [start, stop]) {
  return range?.startContainer === node && range.startOffset === start && range.endOffset === stop;
}
