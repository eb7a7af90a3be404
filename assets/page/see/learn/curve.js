// The curves of a training, loss above and chrF below, over steps on a logarithmic scale: most happens early. A line
// stands at the moment that is shown; pressing on the curves goes to the moment that is nearest.

import { el } from "../dom.js";
import { nearest } from "./moments.js";

const HEIGHT = 112; // of a curve, in CSS pixels as all below
const HEADING = 38;
const AXIS = 44;
const LEFT = 30;
const RIGHT = 10;
const NAME = 90; // for a line's
const MOST_TICKS = 4; // upwards
const LEAST_APART = 1; // in the natural logarithm of steps

// Steps to mark on the axis: 0, 10, 100 ... and the last, where there is room for it
export function stepTicks(last) {
  const ticks = [0];
  for (let step = last < 100 ? 1 : 10; step <= last; step *= 10) ticks.push(step);
  if (Math.log1p(last) - Math.log1p(ticks.at(-1)) >= LEAST_APART) ticks.push(last);
  return ticks;
}

// Round values from 0 on, the last of which is at least `most`
export function valueTicks(most) {
  const rough = (most || 1) / MOST_TICKS;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((each) => each >= rough);
  const numTicks = Math.ceil(most / step - 1e-9);
  return Array.from({ length: numTicks + 1 }, (_, i) => Number((i * step).toPrecision(6)));
}

// What there is to draw: [{name, ticks, lines: [{name, figure: its name in a moment, steps, values}]}]
export function panels({ training, validation }) {
  const all = [
    {
      name: "loss",
      lines: [
        { name: "training", figure: "loss", steps: training.step, values: training.loss },
        { name: "validation", figure: "validation_loss", steps: validation.step, values: validation.loss },
      ],
    },
    { name: "chrf", lines: [{ name: "chrf", figure: "chrf", steps: validation.step, values: validation.chrf }] },
  ];
  return all
    .map(({ name, lines }) => ({ name, lines: lines.filter(({ values }) => values.length > 0) }))
    .filter(({ lines }) => lines.length > 0)
    .map((panel) => ({ ...panel, ticks: valueTicks(Math.max(...panel.lines.flatMap(({ values }) => values))) }));
}

// onpick(moment): its place
export function mountCurves(root, { words, onpick }) {
  const drawing = el("svg:svg", { class: "curves", role: "img" });
  root.append(drawing);
  const number = new Intl.NumberFormat(words.locale, { notation: "compact", maximumSignificantDigits: 2 });
  let timeline = null;
  let drawn = []; // panels, each with `y` and with the dots of its lines
  let cursor = null;
  let place = 0;
  let width = 0;

  const last = () => timeline.moments.at(-1).step || 1;
  const x = (step) => LEFT + (Math.log1p(step) / Math.log1p(last())) * (width - LEFT - RIGHT);
  const stepAt = (left) => Math.expm1((Math.max(0, left - LEFT) / (width - LEFT - RIGHT)) * Math.log1p(last()));
  const pick = ({ clientX }) => {
    const step = stepAt(clientX - drawing.getBoundingClientRect().left);
    onpick(nearest(timeline.moments, step));
  };
  drawing.addEventListener("pointerdown", pick);
  drawing.addEventListener("pointermove", (event) => event.buttons === 1 && pick(event));
  // In the next frame: what is drawn may change the height of what is observed.
  const resized = new ResizeObserver(() => requestAnimationFrame(() => root.clientWidth !== width && draw()));
  resized.observe(root);

  function draw() {
    width = root.clientWidth;
    cursor = null;
    if (!timeline || width === 0) return; // not on the page yet
    const all = panels(timeline);
    const height = all.length * (HEADING + HEIGHT) + AXIS;
    const size = { width, height, viewBox: `0 0 ${width} ${height}` };
    for (const [name, value] of Object.entries(size)) drawing.setAttribute(name, value);
    drawn = all.map(laidOut);
    cursor = el("svg:line", { class: "cursor", y1: HEADING, y2: height - AXIS });
    const dots = drawn.flatMap((panel) => panel.dots);
    drawing.replaceChildren(cursor, ...drawn.map(drawPanel), drawAxis(height - AXIS), ...dots);
    mark(place);
  }

  function laidOut(panel, i) {
    const bottom = (i + 1) * (HEADING + HEIGHT);
    const y = (value) => bottom - (value / panel.ticks.at(-1)) * HEIGHT;
    const dots = panel.lines.map(({ name }) => el("svg:circle", { class: `dot ${name}`, r: 5 }));
    return { ...panel, y, top: bottom - HEIGHT, dots };
  }

  function drawPanel({ name, ticks, lines, y, top }) {
    return el(
      "svg:g",
      { class: "panel" },
      el("svg:text", { class: "name", x: 0, y: top - 14 }, words.curves[name]),
      ticks.map((tick) => [
        el("svg:line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: y(tick), y2: y(tick) }),
        el("svg:text", { class: "tick", x: LEFT - 6, y: y(tick) + 4, "text-anchor": "end" }, number.format(tick)),
      ]).flat(),
      lines.map((line) => drawLine(line, y, lines.length > 1)).flat(),
    );
  }

  function drawLine({ name, steps, values }, y, isNamed) {
    const points = steps.map((step, i) => `${x(step).toFixed(1)},${y(values[i]).toFixed(1)}`).join(" ");
    const [left, top] = [x(steps[0]), y(values[0])];
    const hasRoom = left > LEFT + NAME;
    const at = hasRoom ? { x: left - 8, y: top + 4, "text-anchor": "end" } : { x: left, y: top - 8 };
    return [
      el("svg:polyline", { class: `curve ${name}`, points }),
      isNamed && el("svg:text", { class: `of ${name}`, ...at }, words.curves[name]),
    ];
  }

  function drawAxis(top) {
    const middle = (LEFT + width - RIGHT) / 2;
    return el(
      "svg:g",
      { class: "axis" },
      timeline.moments.map(({ step }) => {
        return el("svg:line", { class: "moment", x1: x(step), x2: x(step), y1: top, y2: top + 6 });
      }),
      stepTicks(last()).map((step) =>
        el("svg:text", { class: "tick", x: x(step), y: top + 20, "text-anchor": "middle" }, number.format(step)),
      ),
      el("svg:text", { class: "tick", x: middle, y: top + 38, "text-anchor": "middle" }, words.curves.steps),
    );
  }

  function mark(moment) {
    place = moment;
    if (!cursor) return;
    const at = timeline.moments[moment];
    for (const name of ["x1", "x2"]) cursor.setAttribute(name, x(at.step));
    for (const { lines, y, dots } of drawn) {
      lines.forEach(({ figure }, i) => {
        const isKnown = at[figure] !== null;
        dots[i].style.setProperty("display", isKnown ? "" : "none");
        if (!isKnown) return;
        dots[i].setAttribute("cx", x(at.step));
        dots[i].setAttribute("cy", y(at[figure]));
      });
    }
  }

  return {
    // label: what the drawing is, in words
    show(newTimeline, label) {
      [timeline, place] = [newTimeline, 0];
      drawing.setAttribute("aria-label", label);
      draw();
    },
    mark,
    destroy: () => resized.disconnect(),
  };
}
