// Names as in print: of v5 and L_reg the index stands lower than the letter, of δ_s too. What a
// person reads is set so when it has been made; what is spoken or copied stays as it is.

const INDEXED = /(?<![\p{L}\p{N}_\u0304\u0305])(\p{L}\u0304?)(?:_([\p{L}\p{N}_²₀-₉]+(?:,[\d₀-₉]+)*)|(\d+))(?![\p{L}\p{Nd}_\u0305])/gu;
const LOW_COMMA = /(?<=[₀-₉]),(?=[₀-₉])/;
const FRACTION = /(\/∂)/; // no line ends between the two parts of ∂f/∂x
const AS_IT_IS = "math, svg, code, option, select, input, .as-it-is";
const DROP = 4; // pixels in a drawing
const LEAST_DROP = 0.1; // of an index in a formula, as a share of the letters' size

// The pieces of a text: strings, and {letter, below} where a name has an index.
function piecesOf(text) {
  const pieces = [];
  let end = 0;
  const add = (found, piece) => {
    pieces.push(...withLowCommas(text.slice(end, found.index)), piece);
    end = found.index + found[0].length;
  };
  for (const found of text.matchAll(INDEXED)) {
    const [whole, letter, word, digits] = found;
    const name = whole.replace("\u0304", "");
    if (wordsKnown.has(name) || (letter === "δ" && wordsKnown.has(word))) add(found, { letter, below: word ?? digits });
  }
  return [...pieces, ...withLowCommas(text.slice(end))];
}

function withLowCommas(text) {
  const lowered = text.split(LOW_COMMA).flatMap((part, k) => (k ? [{ letter: "", below: ",", drop: DROP / 2 }, part] : [part]));
  const kept = lowered.flatMap((part) => (typeof part === "string" ? part.split(FRACTION) : [part]));
  return kept.filter((part) => part !== "").map((part) => (part === "/∂" ? { letter: part } : part));
}

// Set the names within an element of the page.
function typeset(place) {
  const walker = document.createTreeWalker(place, NodeFilter.SHOW_TEXT);
  const texts = [];
  while (walker.nextNode()) if (isProse(walker.currentNode)) texts.push(walker.currentNode);
  for (const text of texts) {
    const pieces = piecesOf(text.data);
    if (!pieces.some((piece) => typeof piece !== "string")) continue;
    if (text.parentElement.localName === "mtext") text.parentElement.replaceWith(inFormula(pieces));
    else text.replaceWith(...pieces.map(inHtml));
  }
  return place;
}

// Words, also those between the parts of a formula.
function isProse(text) {
  const words = text.parentElement.closest("mtext, .as-it-is");
  return words ? words.localName === "mtext" && !words.closest("msub") : !text.parentElement.closest(AS_IT_IS);
}

function inHtml(piece) {
  if (typeof piece === "string") return piece;
  const below = piece.below ? [element("sub", {}, ...piecesOf(piece.below).map(inHtml))] : [];
  return element("span", { class: "as-it-is" }, piece.letter, ...below);
}

// Words within a formula, as one element of it.
function inFormula(pieces) {
  const words = (text) => `<mtext>${escapeHtml(text).replaceAll(" ", "&#160;")}</mtext>`;
  const written = pieces.map((piece) => {
    if (typeof piece === "string") return words(piece);
    return piece.below && piece.letter ? `<msub><mi>${escapeHtml(piece.letter)}</mi><mn>${escapeHtml(piece.below)}</mn></msub>` : words(piece.letter || piece.below);
  });
  const holder = mathElement("div", `<math><mpadded class="words">${written.join("")}</mpadded></math>`);
  return holder.firstElementChild.firstElementChild;
}

// The same for a text in a drawing, as a list of spans; each begins where the one before ended.
function inDrawing(text) {
  let drop = 0;
  const span = (written, attributes = {}) => {
    const made = svgElement("tspan", drop ? { ...attributes, dy: -drop } : attributes, written);
    drop = 0;
    return made;
  };
  return piecesOf(text).flatMap((piece) => {
    if (typeof piece === "string") return [span(piece)];
    const letter = piece.letter ? [span(piece.letter)] : [];
    if (!piece.below) return letter;
    drop = -(piece.drop ?? DROP);
    const below = span(piece.below, { class: "below" });
    drop = piece.drop ?? DROP;
    return [...letter, below];
  });
}

const FINGER = 44; // pixels of the least place that a finger hits

// Make the place around each shape that can be opened large enough for a finger.
function enlargeTargets(svg) {
  for (const shape of svg.querySelectorAll(".node")) {
    const [x, y, width, height] = ["x", "y", "width", "height"].map((side) => shape.querySelector("rect")[side].baseVal.value);
    const [wide, high] = [Math.max(width, FINGER), Math.max(height, FINGER)];
    shape.append(svgElement("rect", { class: "hit", x: x - (wide - width) / 2, y: y - (high - height) / 2, width: wide, height: high }));
  }
}

// Set the names that stand in a drawing for good.
function typesetDrawing(svg) {
  for (const text of svg.querySelectorAll("text")) if (!text.firstElementChild && text.textContent) text.replaceChildren(...inDrawing(text.textContent));
  for (const name of svg.querySelectorAll(".name.above")) name.replaceChildren(...inDrawing(name.textContent));
}

// Without a font made for formulas Chromium hardly lowers an index; then the style sheet does.
function lowerIndices() {
  const probe = mathElement("div", "<math><msub><mi>x</mi><mn>2</mn></msub></math>", { class: "formula hidden" });
  document.body.append(probe);
  const [letter, index] = ["mi", "mn"].map((part) => probe.querySelector(part).getBoundingClientRect().bottom);
  const size = parseFloat(getComputedStyle(probe).fontSize);
  document.documentElement.classList.toggle("flat-indices", index - letter < LEAST_DROP * size);
  probe.remove();
}
