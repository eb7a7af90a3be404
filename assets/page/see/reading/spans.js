// The words of an Explanation (malaygpt/explain.py) as runs of text on both sides: what a view turns into elements.
// Spans are [start, stop] in UTF-16 code units, so that slicing a string is enough.

// As malaygpt/explain.py divides Malay into words
const WORD = /[\p{L}\p{N}_]+(?:[-'’.,:/][\p{L}\p{N}_]+)*|[^\p{L}\p{N}_\s]+/gu;

// [[start, stop]] of the words and runs of punctuation of a text
export function wordSpans(text) {
  return [...text.matchAll(WORD)].map((match) => [match.index, match.index + match[0].length]);
}

// All of a text in order: [{text, word}], `word` being the place among `spans`, or null for what stands between them.
export function runsOf(text, spans) {
  const runs = [];
  let end = 0;
  spans.forEach(([start, stop], word) => {
    if (start > end) runs.push({ text: text.slice(end, start), word: null });
    runs.push({ text: text.slice(start, stop), word });
    end = stop;
  });
  if (end < text.length) runs.push({ text: text.slice(end), word: null });
  return runs;
}

// The text in parts, for one side ("english" or "malay"): [{sentence, runs}], `sentence` null between sentences.
export function partsOf(explanation, side) {
  return explanation.parts.map((part) => {
    const text = explanation[side].slice(...part[side]);
    return { sentence: part.sentence, runs: runsOf(text, spansOf(explanation, side, part.sentence)) };
  });
}

// The spans of a sentence's words on one side
export function spansOf(explanation, side, number) {
  if (number === null) return [];
  const sentence = explanation.sentences[number];
  return side === "english" ? wordSpans(sentence.english) : sentence.words.map((word) => word.span);
}

export function overlap(one, other) {
  return one[0] < other[1] && other[0] < one[1];
}
