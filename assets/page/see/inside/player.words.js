// What the player says where it moves through the steps of a translation.

export const ENGLISH = {
  play: "Play",
  pause: "Pause",
  previous: "Previous step",
  next: "Next step",
  scrubber: "Step",
  stepValue: "Step {step} of {steps}: {token}",
};

export const MALAY = {
  play: "Main",
  pause: "Jeda",
  previous: "Langkah sebelumnya",
  next: "Langkah seterusnya",
  scrubber: "Langkah",
  stepValue: "Langkah {step} daripada {steps}: {token}",
};
