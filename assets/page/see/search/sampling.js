// How temperature, top-k and top-p reshape the distribution that a token is drawn from, in decode.py's order: the
// logits are divided by the temperature, then only the top_k likeliest stay, then the fewest of these that together
// have top_p of what these have.
//
// Of a distribution the likeliest tokens and the entropy are known. What the others come to at another temperature
// follows from neither: with p the others' probabilities, R their sum and L the mean of ln p over them, weighed by p,
// which the entropy gives, the sum of p ** (1 / T) is at least R * exp((1 / T - 1) * L) (Jensen). They get that.

// token: of an Explanation -> {rows: [{id, own, tempered, isCut, drawn}], rest: {own, tempered, state, drawn},
// isEstimate}: probabilities by the model, at the temperature, and of being drawn; `state` of all others together is
// "kept", "cut" or "partly"
export function reshape(token, { temperature, top_k, top_p }) {
  const exponent = 1 / (temperature ?? 1);
  const known = token.alternatives.map(([id, logProb]) => ({ id, logProb, own: Math.exp(logProb) }));
  const others = restOf(known, token.entropy);
  const weights = known.map(({ logProb }) => Math.exp(exponent * logProb));
  const restWeight = others.own === 0 ? 0 : others.own * Math.exp((exponent - 1) * others.meanLog);
  const whole = sum(weights) + restWeight;
  const tempered = weights.map((weight) => weight / whole);
  const cutoff = keep(tempered, restWeight / whole, top_k, top_p);
  const mass = sum(tempered.slice(0, cutoff.count)) + cutoff.rest;
  const rows = known.map(({ id, own }, i) => {
    const isCut = i >= cutoff.count;
    return { id, own, tempered: tempered[i], isCut, drawn: isCut ? 0 : tempered[i] / mass };
  });
  const state = cutoff.rest === 0 ? "cut" : cutoff.isPart ? "partly" : "kept";
  const rest = { own: others.own, tempered: restWeight / whole, state, drawn: cutoff.rest / mass };
  const isByRank = top_k > 0 && top_k <= known.length; // nothing that the others have plays a part
  return { rows, rest, isEstimate: others.own > 0 && !isByRank && (exponent !== 1 || cutoff.isPart) };
}

function restOf(known, entropy) {
  const own = Math.max(0, 1 - sum(known.map((each) => each.own)));
  if (own === 0) return { own, meanLog: 0 };
  const weighed = entropy + sum(known.map((each) => each.own * each.logProb)); // of the others: -sum of p ln p
  return { own, meanLog: Math.min(known.at(-1)?.logProb ?? 0, -weighed / own) };
}

// How many of the known stay, and how much of the rest
function keep(tempered, rest, topK, topP) {
  const isWithin = topK === 0 || topK > tempered.length;
  const most = isWithin ? tempered.length : topK;
  // No one of the others is likelier than the last that is known.
  const kept = topK === 0 ? rest : Math.min(rest, Math.max(0, topK - tempered.length) * (tempered.at(-1) ?? 0));
  const enough = topP * (sum(tempered.slice(0, most)) + kept);
  let [count, before] = [0, 0];
  while (count < most && before < enough) before += tempered[count++];
  const room = count < most ? 0 : Math.max(0, enough - before);
  const taken = topP < 1 ? Math.min(kept, room) : kept;
  return { count, rest: taken, isPart: taken > 0 && (taken < rest || topK > 0) };
}

function sum(numbers) {
  return numbers.reduce((total, each) => total + each, 0);
}
