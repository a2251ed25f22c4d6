// What the page knows of the task, the training as it was recorded, and what is shown.

const recorded = JSON.parse(document.getElementById("recorded").textContent);
const { task, plane } = recorded;
const examples = recorded.inputs;
const width = examples[0].length;

const state = {
  at: 0, // the snapshot
  isMoving: false, // from snapshot to snapshot
  example: null, // the one selected
  cell: 0, // the unit that Tab reaches
  unit: null, // the one selected, whose lines stand out
  view: "weights", // what the lines show
};

// The plane: a grid of points over the examples and a little beyond; one row if there is one input.
const GRID = 48;
const extents = plane.map((axis) => {
  const along = examples.map((input) => input[axis]);
  const [low, high] = [Math.min(...along), Math.max(...along)];
  const margin = (high - low || 1) * 0.14;
  return [low - margin, high + margin];
});
const spans = extents.map(([low, high]) => high - low);
if (plane.length === 2 && Math.max(...spans) < 3 * Math.min(...spans)) {
  for (const [i, [low, high]] of extents.entries()) {
    const missing = (Math.max(...spans) - spans[i]) / 2;
    extents[i] = [low - missing, high + missing];
  }
}
const gridSize = plane.length === 2 ? { across: GRID, down: GRID } : { across: 4 * GRID, down: 1 };

// The same plane in more points, for decisions at rest: a region thinner than the grid has but some of
// its points, and would be drawn as beads.
const FINER = 4;
const FINE_WORK = 5e7; // products for the finer grid: with a larger model, it is not computed
const fineGrid = { across: FINER * (GRID - 1) + 1, down: FINER * (GRID - 1) + 1 };
const means = examples[0].map((_, i) => examples.reduce((sum, input) => sum + input[i], 0) / examples.length);

// With more inputs than axes, the plane is a slice: it passes through the example that is selected, or
// through the means of all.
const others = [...means.keys()].filter((axis) => !plane.includes(axis));
const sliceThrough = () => (others.length ? state.example : null);
const pointOfSlice = (example) => (example === null ? means : examples[example]);

// The coordinates of a grid point, counted from the upper left.
function gridPoint(column, row, { across, down } = gridSize) {
  const [[left, right], [low, high] = [0, 0]] = extents;
  const x = left + ((right - left) * column) / (across - 1);
  return [x, down === 1 ? 0 : high - ((high - low) * row) / (down - 1)];
}

// All points of a grid, row by row.
function pointsOf(grid) {
  const { across, down } = grid;
  return [...Array(across * down).keys()].map((p) => gridPoint(p % across, Math.floor(p / across), grid));
}

const gridPoints = pointsOf(gridSize);
