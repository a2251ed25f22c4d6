// Network, plane and loss as they are shown, as one SVG file that needs no style sheet.

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
  for (const part of file.querySelectorAll("[id]")) part.removeAttribute("id");
  return new XMLSerializer().serializeToString(file);
}

const saveSvg = () => saveFile(exportedSvg(), "image/svg+xml", `${training.unit}-${training.steps[state.at]}.svg`);
