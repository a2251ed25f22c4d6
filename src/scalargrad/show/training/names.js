// Names in the network: where they stand, and on how many lines those of inputs do.

const LINE = 15; // pixels from one line of a name to the next
const MOST_LINES = 3;
const NAMES_SHARE = 0.26; // of the picture's width, at most, for names of inputs
let namesFit = { across: 0, lines: 1 }; // the room before an input

// Find the room for names of inputs: what stands before them, in pixels.
function fitNames(across, pitch) {
  namesFit = { across: NAMES_SHARE * across, lines: Math.min(Math.max(Math.floor(pitch / LINE), 1), MOST_LINES) };
  return Math.max(...inputNames().flatMap(linesOf).map(widthOf));
}

const inputNames = () => training.layers[0].map((c) => training.cells[c].name);

function widthOf(text) {
  canvasOfTiles.font = `${isPhone() ? 14 : 13}px ${getComputedStyle(document.body).fontFamily}`;
  return canvasOfTiles.measureText(text).width;
}

// A name in lines that fit before its input, broken between words, or within one that is too long.
function linesOf(name) {
  const fits = (text) => widthOf(text) <= namesFit.across;
  const written = [""];
  for (const word of name.split(/(?<=[ _])/)) {
    if (written.at(-1) && !fits(written.at(-1) + word.trimEnd())) written.push("");
    for (const letter of word) {
      if (!fits(written.at(-1) + letter)) written.push("");
      written[written.length - 1] += letter;
    }
  }
  if (written.length <= namesFit.lines) return written;
  let last = written[namesFit.lines - 1];
  while (!fits(`${last}…`)) last = last.slice(0, -1);
  return [...written.slice(0, namesFit.lines - 1), `${last.trimEnd()}…`];
}

const isCut = (name) => linesOf(name).join("") !== name;

// The name of a unit stands after it, that of an input before it.
function nameElement(c, isInput, { x, y, size }) {
  const { name } = training.cells[c];
  if (!isInput) return svgElement("text", { class: "name", x: x + size / 2 + 5, y: y + 4.5 }, name);
  const written = linesOf(name);
  const place = (i) => ({ x: x - size / 2 - 5, y: y + 4.5 + LINE * (i - (written.length - 1) / 2) });
  const text = svgElement("text", { class: "name before" }, ...written.map((line, i) => svgElement("tspan", place(i), line.trimEnd())));
  if (isCut(name)) text.append(svgElement("title", {}, name));
  return text;
}

// What the names that are cut stand for.
function drawNamesLegend() {
  const cut = inputNames().filter(isCut);
  putText($("names-of"), cut.map((name) => `${linesOf(name).join("")} is ${name}`).join(", "));
}
