// Network, plane and loss as they are shown, as one SVG file that needs no style sheet.

const STYLED = [
  "fill", "fill-opacity", "stroke", "stroke-width", "stroke-dasharray", "stroke-opacity", "stroke-linecap",
  "stroke-linejoin", "opacity", "font-family", "font-size", "font-style", "font-weight", "text-anchor", "paint-order",
  "display", "visibility",
];

// A copy of an SVG whose elements carry their own style.
function styledCopy(svg) {
  const copy = svg.cloneNode(true);
  const originals = [svg, ...svg.querySelectorAll("*")];
  for (const [k, made] of [copy, ...copy.querySelectorAll("*")].entries()) {
    const style = getComputedStyle(originals[k]);
    for (const property of STYLED) made.setAttribute(property, style.getPropertyValue(property));
    for (const name of ["class", "id", "tabindex", "role", "aria-label", "aria-pressed", "style"]) made.removeAttribute(name);
  }
  return copy;
}

// Where an element lies on the page's main part.
function boxOf(part) {
  const whole = document.querySelector("main").getBoundingClientRect();
  const { left, top, width: across, height: down } = part.getBoundingClientRect();
  return { x: left - whole.left, y: top - whole.top, width: across, height: down };
}

const give = (made, attributes) => {
  for (const [name, x] of Object.entries(attributes)) made.setAttribute(name, x);
  return made;
};

// The file is a document of its own: in this one, the policy would forbid it to hold pictures.
function exportedSvg() {
  rest();
  const file = document.implementation.createDocument("http://www.w3.org/2000/svg", "svg");
  const { width: across, height: down } = boxOf(document.querySelector("main"));
  give(file.documentElement, { width: across, height: down, viewBox: `0 0 ${across} ${down}` });
  const add = (part) => file.documentElement.append(file.importNode(part, true));
  add(svgElement("title", {}, `${document.title}, ${training.unit} ${training.steps[state.at]}`));
  add(svgElement("rect", { width: across, height: down, fill: `rgb(${palette.paper.join()})` }));
  for (const part of document.querySelectorAll("main .canvas > :not([hidden])")) {
    if (part.tagName === "CANVAS") {
      const image = file.createElementNS("http://www.w3.org/2000/svg", "image");
      file.documentElement.append(give(image, { ...boxOf(part), href: part.toDataURL() }));
    } else add(give(styledCopy(part), boxOf(part)));
  }
  const { x, y } = boxOf($("sentence"));
  add(svgElement("text", { x, y: y + 16, fill: `rgb(${palette.ink.join()})`, "font-family": "sans-serif", "font-size": 15 }, sentence()));
  return new XMLSerializer().serializeToString(file);
}

function saveSvg() {
  const file = URL.createObjectURL(new Blob([exportedSvg()], { type: "image/svg+xml" }));
  element("a", { href: file, download: `${training.unit}-${training.steps[state.at]}.svg` }).click();
  setTimeout(() => URL.revokeObjectURL(file), 1000);
}
