// The menu More: finite differences, gradient descent, export, palettes.

const checkDifference = () => { $("check-result").textContent = differenceAt(Number($("check-input").value)); };

// Compare a central difference with the gradient of an input.
function differenceAt(i) {
  const x = state.sweep.data[i];
  const gradient = state.sweep.total(i);
  const tried = [1e-5 * Math.max(1, Math.abs(x)), 1e-5 * Math.abs(x)].filter((h) => h > 0).map((h) => {
    const sweeps = [x + h, x - h].map((value) => state.sweep.with([[i, value]]));
    const [up, down] = sweeps.map(({ invalid, data }) => (invalid ? NaN : data[root]));
    const slope = (up - down) / (2 * h);
    const rounding = (4 * Number.EPSILON * Math.max(Math.abs(up), Math.abs(down))) / h;
    const agree = Math.abs(slope - gradient) <= 1e-6 * Math.max(Math.abs(slope), Math.abs(gradient)) + rounding;
    return { h, sweeps, slope, agree };
  });
  const kink = state.sweep.kinks[i];
  const { h, sweeps, slope, agree } = tried.find((found) => found.agree) ?? tried.at(-1);
  const [name, place] = [nodes[root].name, `${nodes[i].name} ${equalTo(x)}`];
  if (sweeps.some(({ flips }) => flips.length)) return `Near ${place} the program takes another branch, so there is no finite difference.`;
  if (!Number.isFinite(slope)) return `${name} is undefined or infinite near ${place}, so there is no finite difference.`;
  if (kink !== undefined) return slopesAtKink(i, h, sweeps.map(({ data }) => data[root]), gateAt(state.sweep, kink).gate.shown);
  const verdict = agree ? "they agree." : "they differ: is this a kink or a jump, or is the function very steep here?";
  return `(${name}(${nodes[i].name} + h) - ${name}(${nodes[i].name} - h)) / 2h ≈ ${number(slope)} with h = ${number(h)}; gradient ${equalTo(gradient)}: ${verdict}`;
}

const ONE_SIDED = 1e-4; // relative error allowed for a one-sided difference

// At a kink a central difference is the mean of two different slopes, so compare the slope on each side.
function slopesAtKink(i, h, [up, down], gate) {
  const [f, gradient] = [state.sweep.data[root], state.sweep.total(i)];
  const [left, right] = [(f - down) / h, (up - f) / h];
  const agree = [left, right].every((slope) => Math.abs(slope - gradient) <= ONE_SIDED * Math.max(1, Math.abs(slope), Math.abs(gradient)));
  const place = `Near ${nodes[i].name} ${equalTo(state.sweep.data[i])}, with h = ${number(h)}`;
  const found = `${place}: slope to the left ≈ ${number(left)}, to the right ≈ ${number(right)}; gradient ${equalTo(gradient)}: `;
  return found + (agree ? `both agree, although ${gate} has a kink or jump here.` : `${gate} has a kink or jump here, and the gradient is a convention.`);
}

const descend = (count) => { $("descent-result").textContent = runDescent(count); };

// Move the chosen inputs against their gradients, up to `count` times, while the output is defined.
function runDescent(count) {
  const rate = Number($("rate").value);
  const chosen = [...document.querySelectorAll("#descent-inputs input:checked")].map((box) => Number(box.value));
  if (!chosen.length) return "Choose at least one input.";
  if (!(rate > 0)) return "Enter a learning rate above 0.";
  const before = state.sweep.data[root];
  let [done, why] = [0, ""];
  while (done < count && !why) {
    why = takeStep(chosen.map((i) => [i, state.sweep.data[i] - rate * state.sweep.total(i)]));
    if (why) break;
    done += 1;
    const reached = state.sweep.data[root];
    if (!Number.isFinite(reached)) why = `${nodes[root].name} is ${number(reached)}`;
  }
  const summary = `${pluralize(done, "step")}${done ? `: ${describeChange(before, state.sweep.data[root])}` : ""}.`;
  return why ? `${summary} Stopped: ${why}.` : summary;
}

// Take a step to other inputs and return "", or return why it cannot be taken; then nothing has changed.
function takeStep(moved) {
  const bad = moved.find(([, value]) => !Number.isFinite(value));
  if (bad) {
    const gradient = state.sweep.total(bad[0]);
    return `the next step would take ${nodes[bad[0]].name} to ${number(bad[1])}, because its gradient is ${number(gradient)}`;
  }
  if (state.sweep.with(moved).flips.length) return "after the next step the program would take another branch";
  if (setInputs(moved)) return "";
  const { undefined: note } = state;
  accept(); // the inputs are unchanged
  return note.replace(/\. The last valid state is kept\.$/, "");
}

function describeChange(before, after) {
  const both = `${nodes[root].name} from ${number(before)} to ${number(after)}`;
  if (!Number.isFinite(before) || !Number.isFinite(after)) return both;
  return `${both}, ${after < before ? "it fell" : after > before ? "it rose: try a smaller rate" : "it did not change"}`;
}

const STYLED = [
  "fill", "fill-opacity", "stroke", "stroke-width", "stroke-dasharray", "stroke-opacity", "stroke-linecap",
  "stroke-linejoin", "opacity", "font-family", "font-size", "font-style", "font-weight", "text-anchor", "paint-order",
  "display", "visibility", "marker-end",
];

// A copy of an SVG with its styles as attributes.
function copyWithStyles(svg) {
  const copy = svg.cloneNode(true);
  const originals = [svg, ...svg.querySelectorAll("*")];
  for (const [k, part] of [copy, ...copy.querySelectorAll("*")].entries()) {
    const style = getComputedStyle(originals[k]);
    for (const property of STYLED) {
      const value = style.getPropertyValue(property);
      if (value) part.setAttribute(property, value.replace(/url\("?.*?#([\w-]+)"?\)/, "url(#$1)"));
    }
    for (const name of ["class", "tabindex", "role", "aria-label", "aria-pressed", "style"]) part.removeAttribute(name);
  }
  return copy;
}

// The current drawing as the text of an SVG without a style sheet.
function exportSvg() {
  const copy = copyWithStyles(graph);
  const { width, height } = graph.viewBox.baseVal;
  copy.setAttribute("width", String(width));
  copy.setAttribute("height", String(height));
  const paper = getComputedStyle($("stage")).backgroundColor;
  copy.prepend(svgElement("rect", { width, height, fill: paper }));
  const where = drawings.length > 1 ? `, ${pathInWords(open.index)}` : "";
  copy.prepend(svgElement("title", {}, `${document.title}, step ${state.at + 1} of ${stops().length}${where}`));
  return new XMLSerializer().serializeToString(copy);
}

const saveSvg = () => saveFile(exportSvg(), "image/svg+xml", `step-${state.at + 1}.svg`);

function saveFile(text, type, name) {
  const file = URL.createObjectURL(new Blob([text], { type }));
  element("a", { href: file, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(file), 1000);
}

// The link to this step; the address of the page is updated as well, if possible.
function linkHere() {
  const isFramed = location.protocol === "about:"; // in a notebook, only the fragment
  updateAddress();
  return (isFramed ? "" : location.href.split("#")[0]) + linkFragment();
}

// The HTML of a frame that shows the page in another one; a page from disk is named without its folder.
function embedding() {
  const link = linkHere();
  const source = location.protocol === "file:" ? link.split("#")[0].split("/").at(-1) + linkFragment() : link;
  return element("iframe", { src: source, title: document.title, width: "100%", height: 640, loading: "lazy", allow: "fullscreen; clipboard-write" }).outerHTML;
}

// Show a text in a box and, if allowed, copy it to the clipboard.
function offer(text) {
  $("link-text").hidden = false;
  $("link-text").value = text;
  $("link-text").select();
  navigator.clipboard?.writeText(text).catch(() => {});
}

// Enter or leave presentation mode, in full screen if the browser allows it.
function setPresenting(presenting) {
  document.body.classList.toggle("present", presenting);
  $("leave").hidden = !presenting;
  zoom = null; // fit to the window
  if (presenting) {
    document.documentElement.requestFullscreen?.().catch(() => {});
    toggleTools(false);
    $("panel").focus();
  } else if (document.fullscreenElement) document.exitFullscreen();
  refit();
}

function toggleTools(isOpen = $("tools").hidden) {
  buildTools();
  $("tools").hidden = !isOpen;
  $("more").setAttribute("aria-expanded", String(isOpen));
  $("more").textContent = isOpen ? "More ▴" : "More ▾";
  resize();
  if (isOpen) $("tools").scrollIntoView({ block: "nearest" });
}

// Create the lists of inputs when the menu is first opened: there may be thousands.
function buildTools() {
  if ($("check-input").options.length) return;
  for (const i of inputs) {
    $("check-input").append(element("option", { value: i }, nodes[i].name));
    const box = element("input", { type: "checkbox", value: i, checked: nodes[i].kind === "parameter" || !inputs.some((k) => nodes[k].kind === "parameter") });
    $("descent-inputs").append(typeset(element("label", {}, box, ` ${nodes[i].name}`)));
  }
  for (const id of ["check", "descend", "descend-ten"]) $(id).disabled = !canCompute;
}
