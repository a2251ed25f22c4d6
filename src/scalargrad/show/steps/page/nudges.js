// What a small change of an input does to the output, beside what the gradient foretells. The rules are
// those of scalargrad.show.steps.nudges; a test holds the two together.

const NUDGE = 0.01; // of 0, and of what is almost 0
const TRUE_SHARE = 0.1; // a change that is foretold with "about" is off by no more
const NOTHING = 0.02; // of the nudge: a change so small is about 0
const STRAIGHT = 1e-6; // of a change: so little is off where the function is a straight line, but for noise

// What a complete gradient of an input means: nudge x by +0.01: f changes by -0.04.
function nudgeNote(sweep, { parent: leaf, arrived, expected }) {
  if (nodes[leaf].gate || arrived < expected) return "";
  if (!canCompute) return recorded.nudges[leaf] ?? ""; // as Python found it
  const nudge = nudgeOf(sweep.data[leaf]);
  const foretold = nudge * sweep.total(leaf);
  const found = sweep.rootAt([[leaf, sweep.data[leaf] + nudge]]) - sweep.data[root];
  if (!Number.isFinite(foretold) || !Number.isFinite(found)) return "";
  const said = `nudge ${nodes[leaf].name} by ${signed(nudge)}: ${nodes[root].name} changes by `;
  const [most, off] = [Math.max(Math.abs(found), Math.abs(foretold)), Math.abs(found - foretold)];
  if (off > TRUE_SHARE * most && most > NOTHING * nudge) {
    return `${said}${isRounded(found) ? "about " : ""}${signed(found)}, not by ${signed(foretold)} as the gradient foretells: it is no straight line there`;
  }
  const isBent = off > STRAIGHT * Math.abs(foretold);
  return `${said}${isBent || sweep.exactness.gradient(leaf) === "≈" ? "about " : ""}${signed(foretold)}`;
}

// By how much to nudge x: a hundredth of the greatest power of ten that is in it.
const nudgeOf = (x) => Number(`1e${(x && Number.isFinite(x) ? x.toExponential().split("e")[1] : 0) - 2}`) || NUDGE;
