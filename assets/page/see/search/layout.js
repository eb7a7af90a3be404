// Where the nodes of a tree stand, in CSS pixels: a column for each step, likeliest on top, those that were cut below
// a line.

const COLUMN = 158;
const LEFT = 26; // the root's
const TOP = 30;
const LANE = 50;
const CUT_LANE = 30;
const CUT_GAP = 22;
const MOST_CUT = 4; // of a step

export const NODE = { width: 108, height: 42, cutHeight: 24 };

// {width, height, root, columns: [{x, nodes, line}]: those that are drawn, from top, and the line above what was cut;
// boxOf(node) -> {x, y, width, height}; at(x, y) -> node or null; visible(left, right) -> [first, stop] of columns}
export function layOut({ steps }) {
  const left = (step) => LEFT + 24 + step * COLUMN;
  const cutTop = ({ kept }) => TOP + kept.length * LANE + CUT_GAP;
  const bottom = (step) => cutTop(step) + Math.min(MOST_CUT, step.cut.length) * CUT_LANE;
  const columns = steps.map((step, i) => {
    const nodes = [...step.kept, ...step.cut.slice(0, MOST_CUT)];
    return { x: left(i), nodes, line: nodes.length > step.kept.length ? cutTop(step) - CUT_GAP / 2 - 4 : null };
  });

  function boxOf(node) {
    const { kept } = steps[node.step];
    const { width } = NODE;
    if (node.kind !== "cut") return { x: left(node.step), y: TOP + node.place * LANE, width, height: NODE.height };
    const y = cutTop(steps[node.step]) + (node.place - kept.length) * CUT_LANE;
    return { x: left(node.step), y, width, height: NODE.cutHeight };
  }

  function at(x, y) {
    const step = Math.floor((x - left(0)) / COLUMN);
    const isIn = (box) => x >= box.x && x <= box.x + box.width && y >= box.y && y <= box.y + box.height;
    return columns[step]?.nodes.find((node) => isIn(boxOf(node))) ?? null;
  }

  return {
    width: left(steps.length),
    height: Math.max(TOP + LANE, ...steps.map(bottom)) + 8,
    root: { x: LEFT, y: TOP + NODE.height / 2 },
    columns,
    boxOf,
    at,
    visible: (from, to) => [
      Math.max(0, Math.floor((from - left(0)) / COLUMN) - 1),
      Math.min(steps.length, Math.ceil((to - left(0)) / COLUMN) + 1),
    ],
  };
}
