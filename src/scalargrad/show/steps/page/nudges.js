// What a small change of an input does to the output: promised only where the function keeps it.
// The rules are those of scalargrad.show.steps.nudges; a test holds the two together.

const NUDGE = 0.01; // of 0, and of what is almost 0
const SMALLER = 4; // times a tenth, where the function bends too much
const TRUE_SHARE = 0.1; // a change that is foretold "about" is off by no more
const NOTHING = 0.02; // of the nudge: a change so small is about 0
const BESIDE = 1e-6; // of the nudge: where slopes beside the point are taken
const NEARER = 16;
const MOST_WIRES = 2000; // of more, kinks are not looked for: what is not foretold is left out
const CLEAR = 1e-6; // as a share of the slopes
const STRAIGHT = 1e-6; // of a change: so little is off where the function is a straight line, but for noise
const ROUNDED_OFF = 1e-12; // as a share of the output

// What a complete gradient of an input means: nudge x by +0.01: f changes by -0.04.
function nudgeNote(sweep, step) {
  if (nodes[step.parent].gate || step.arrived < step.expected) return "";
  if (!canCompute) return recorded.nudges[step.parent] ?? ""; // as Python found it
  const total = sweep.total(step.parent, step.arrived);
  const leaf = step.parent;
  let nudge = nudgeOf(sweep.data[leaf]);
  if (!Number.isFinite(nudge * total) || !Number.isFinite(sweep.data[root])) return "";
  const isSmall = wires.reduce((sum, count) => sum + count, 0) <= MOST_WIRES;
  const found = isSmall && besideNote(sweep, leaf, nudge, total);
  if (found) return found;
  for (let k = 0; k <= SMALLER; k += 1) {
    const change = sweep.rootAt([[leaf, sweep.data[leaf] + nudge]]) - sweep.data[root];
    if (holds(change, nudge, total)) return promise(sweep, leaf, nudge, total, change);
    nudge = Number((nudge / 10).toExponential(0));
  }
  return "";
}

function promise(sweep, leaf, nudge, total, found) {
  const change = nudge * total;
  const isBent = Math.abs(found - change) > STRAIGHT * Math.abs(change);
  const about = isBent || sweep.exactness.gradient(leaf) === "≈" ? "about " : "";
  return `nudge ${nodes[leaf].name} by ${signed(nudge)}: ${nodes[root].name} changes by ${about}${signed(change)}`;
}

// Whether the output changes as the gradient foretells; NaN does not.
function holds(change, nudge, total) {
  const foretold = nudge * total;
  const most = Math.max(Math.abs(change), Math.abs(foretold));
  return Math.abs(change - foretold) <= TRUE_SHARE * most || most <= NOTHING * nudge;
}

// Say so where the output jumps or has a kink in this input; nothing where it has not.
function besideNote(sweep, leaf, nudge, total) {
  const x = sweep.data[leaf];
  const at = sweep.data[root];
  const step = Math.max(BESIDE * nudge, ROUNDED_OFF * Math.abs(x));
  const far = [-1, 1].map((side) => beyond(sweep, leaf, x + side * step));
  if (!far.every(({ output, slope }) => Number.isFinite(output) && Number.isFinite(slope))) return "";
  const near = [-1, 1].map((side) => beyond(sweep, leaf, x + (side * step) / NEARER));
  const [left, right] = near;
  const rootName = nodes[root].name;
  const where = `${nodes[leaf].name} ${equalTo(x)}`;
  const steepest = Math.max(...[total, far[0].slope, far[1].slope].map(Math.abs));
  const isJump = near.some((b, side) => Math.abs(b.output - at) > Math.max(Math.abs(far[side].output - at) / 2, step * steepest, CLEAR * Math.abs(at)));
  if (isJump) {
    const [below, above] = near.map((point, k) => limitOf(point, ((k ? 1 : -1) * step) / NEARER, at));
    return `${rootName} jumps at ${where}: it is ${number(below)} just below and ${number(above)} just above; the gradient leaves a jump out`;
  }
  const scale = steepest + sweep.terms[leaf].reduce((sum, term) => sum + Math.abs(term), 0);
  const noise = Math.max(CLEAR * scale, (ROUNDED_OFF * Math.abs(at)) / nudge);
  const [below, above] = near.map(({ slope }) => number(Math.abs(slope) < CLEAR * scale ? 0 : slope));
  const gap = Math.abs(right.slope - left.slope);
  if (gap > Math.max(noise, Math.abs(far[1].slope - far[0].slope) / 2)) {
    return `kink at ${where}: the derivative of ${rootName} is ${below} from the left and ${above} from the right; ${number(total)} is taken by convention`;
  }
  const away = (points) => Math.max(...points.map(({ slope }) => Math.abs(total - slope)));
  if (away(near) > Math.max(noise, away(far) / 2)) {
    return `kinks meet at ${where}: the derivative of ${rootName} is ${above}, but the conventions at each of them make ${number(total)}`;
  }
  return "";
}

// What the output tends to from a point that is so far away.
function limitOf({ output, slope }, away, at) {
  const limit = output - away * slope;
  return Math.abs(limit) < ROUNDED_OFF * Math.max(Math.abs(at), 1) ? 0 : limit;
}

// The output and its slope where an input is x; NaN where they are undefined.
function beyond(sweep, leaf, x) {
  const moved = sweep.with([[leaf, x]]);
  return moved.invalid || moved.flips.length ? { output: NaN, slope: NaN } : { output: moved.data[root], slope: moved.total(leaf) };
}

// By how much to nudge x: a hundredth of the greatest power of ten that is in it.
const nudgeOf = (x) => Number(`1e${(x && Number.isFinite(x) ? x.toExponential().split("e")[1] : 0) - 2}`) || NUDGE;
