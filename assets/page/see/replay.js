// The scrubber's state machine: {step, numSteps, playing} and what happens -> the next state.

import { clamp } from "./dom.js";

export const MILLISECONDS_A_STEP = 900;

export function atStart(numSteps) {
  return { step: 0, numSteps, playing: false };
}

const MOVES = {
  next: ({ step }) => step + 1,
  previous: ({ step }) => step - 1,
  first: () => 0,
  last: ({ numSteps }) => numSteps - 1,
  go: (_, step) => step,
};

// Whoever moves by hand stops the playing; playing from the last step begins anew.
export function replay(state, event, value) {
  const last = Math.max(0, state.numSteps - 1);
  if (event in MOVES) return { ...state, step: clamp(MOVES[event](state, value), 0, last), playing: false };
  if (event === "toggle") return replay(state, state.playing ? "pause" : "play");
  if (event === "pause") return { ...state, playing: false };
  if (event === "play" && last > 0) return { ...state, step: state.step === last ? 0 : state.step, playing: true };
  if (event === "tick" && state.playing) {
    const step = Math.min(last, state.step + 1);
    return { ...state, step, playing: step < last };
  }
  return state;
}
