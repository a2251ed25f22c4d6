// What the program decided by comparing numbers, as `if x > 0` does. At inputs where it would decide
// otherwise it would build another graph, of which this page knows nothing.

// What a comparison, or a part of one, comes to; undefined outside of a domain.
function comparedAt(data, part) {
  if (isNumber(part)) return part;
  if (!part.op) return data[part.name];
  const operands = part.of.map((operand) => comparedAt(data, operand));
  const { valid, value } = functions[part.op];
  return !operands.includes(undefined) && valid(operands) ? value(operands) : undefined;
}

// A comparison in symbols or, at the numbers of a sweep, in these.
const comparisonIn = (whole, write) => printText(whole, new Map(namesIn(whole).map(({ name }) => [name, write(name)])));

// Say that another branch would be taken at the inputs as they are, or might be; "" where it would not.
function branchNote({ data, flips: [first, ...others] }) {
  if (!first) {
    if (!recorded.unknown || !areMoved()) return "";
    return `The program might take another branch here: it made ${counted(recorded.unknown, "comparison")} that this page cannot repeat. Run walk again to be sure.`;
  }
  const { whole, outcome } = first;
  const at = (numbers) => comparisonIn(whole, (i) => number(numbers[i]));
  const now = comparedAt(data, whole) === undefined ? "undefined" : String(!outcome);
  const changed = `${comparisonIn(whole, (i) => nodes[i].word)} was ${outcome} and is now ${now} (${at(recordedSweep.data)}, now ${at(data)})`;
  const more = others.length ? `; ${counted(others.length, "other comparison")} changed too` : "";
  return `The program would take the other branch here: ${changed}${more}. Run walk again.`;
}

const TAKEN_AWAY = ["export", "print-steps", "worksheet", "moodle"];

function drawBranch() {
  const isOther = state.sweep.flips.length > 0;
  document.body.classList.toggle("flipped", isOther);
  for (const id of TAKEN_AWAY) $(id).disabled = isOther;
  const note = branchNote(state.sweep);
  if (note === $("branch").dataset.note) return;
  const { offsetHeight: before } = $("branch");
  $("branch").dataset.note = note;
  $("branch").textContent = note;
  typeset($("branch"));
  if ($("branch").offsetHeight !== before) resize(); // the frame has another size
}
