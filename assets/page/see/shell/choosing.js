// Other words in a sentence. The server keeps nothing: all choices made in a sentence go with each new one.

// choosing(ask) -> choose(explanation, options, {sentence, token, id}), a Promise of the explanation with that choice in
// it; `options` are those that the text was translated with, and `ask` sends what the question "choose" of
// malaygpt/seeing.py takes.
export function choosing(ask) {
  const made = new WeakMap(); // sentence -> the choices that it came from, and the English that they are of
  return async (explanation, options, { sentence: number, token, id }) => {
    const sentence = explanation.sentences[number];
    const choices = [...(made.get(sentence) ?? []), [token, id]];
    const answer = await ask({
      english: sentence.english,
      options,
      said: sentence.tokens.map((each) => each.id),
      choices,
    });
    made.set(answer.sentence, choices);
    return withSentence(explanation, number, answer);
  };
}

// The explanation with another sentence in one place, {sentence, pieces}
function withSentence(explanation, number, { sentence, pieces }) {
  let malay = "";
  const parts = explanation.parts.map((part) => {
    const begins = malay.length;
    malay += part.sentence === number ? sentence.malay : explanation.malay.slice(...part.malay);
    return { ...part, malay: [begins, malay.length] };
  });
  const sentences = explanation.sentences.with(number, sentence);
  return { ...explanation, malay, parts, sentences, pieces: { ...explanation.pieces, ...pieces } };
}
