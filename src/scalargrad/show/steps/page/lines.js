// Long formulas in lines. Browsers do not break MathML, so a formula that is too wide is divided
// into several, at its relations first, then between terms, then between factors and operands.

const RELATIONS = ["=", "≈"];
const SIGNS = ["+", "−", "-"];
const LEAST_SHARE = 0.8; // what is a little too wide is made smaller instead
const LEAST_SIZE = 14; // pixels

// Make a formula fit into its block: smaller within reason, else in several lines.
function fit(block) {
  const share = block.clientWidth / block.scrollWidth;
  if (share >= 1) return;
  const size = parseFloat(getComputedStyle(block).fontSize);
  block.style.fontSize = `${Math.max(LEAST_SIZE, Math.floor(size * Math.max(share, LEAST_SHARE)))}px`;
  if (share < LEAST_SHARE || block.scrollWidth > block.clientWidth) divide(block);
}

// Divide every formula in a block where it may go on in the next line.
function divide(block) {
  for (const math of block.querySelectorAll("math")) math.replaceWith(dividedAtoms(math, atomsOf(math, 0)));
}

// What a formula consists of, with the depth of its parentheses. A row that opens with an operator,
// such as (a + b) or −x, stays in one piece.
function atomsOf(row, depth) {
  const found = [];
  for (const part of row.children) {
    if (part.localName === "mrow" && part.firstElementChild?.localName !== "mo") {
      found.push(...atomsOf(part, depth));
      continue;
    }
    const text = part.localName === "mo" ? part.textContent : "";
    if (text === ")") depth -= 1;
    found.push({ part, text, depth });
    if (text === "(") depth += 1;
  }
  return found;
}

// Where a new line may begin: before an atom, or behind a comma or words.
const DIVISIONS = [
  ({ text, depth }) => depth === 0 && RELATIONS.includes(text),
  ({ text, depth }) => depth === 0 && SIGNS.includes(text),
  ({ text }, before) => text === "·" || SIGNS.includes(text) || before.text === "," || ["mtext", "mpadded"].includes(before.part.localName),
];

function dividedAtoms(math, atoms, level = 0) {
  if (level === DIVISIONS.length) return mathOf(math, atoms);
  const groups = [];
  for (const [k, atom] of atoms.entries()) {
    if (k === 0 || DIVISIONS[level](atom, atoms[k - 1])) groups.push([]);
    groups.at(-1).push(atom);
  }
  if (groups.length === 1) return dividedAtoms(math, atoms, level + 1);
  return element("span", { class: "lines" }, ...groups.map((group) => dividedAtoms(math, group, level + 1)));
}

// Some atoms of a formula as a formula of their own.
function mathOf(math, atoms) {
  const made = math.cloneNode(false);
  const [first] = atoms;
  if (first.text && first.text !== "(") first.part.setAttribute("form", "infix"); // spaced as within a line
  made.append(...atoms.map(({ part }) => part));
  return made;
}
