// What lies over what in the drawing of a page, at each of its steps and in each view.
//
// An expression: a function that returns how many products it saw, and what it found wrong in words.

() => {
  const $ = (id) => document.getElementById(id);
  const all = (selector) => [...document.querySelectorAll(selector)];
  const isSeen = (part) => part.checkVisibility({ visibilityProperty: true, opacityProperty: true });
  const written = (selector) => all(selector).filter((text) => text.textContent.trim() && isSeen(text));
  const box = (part) => part.getBoundingClientRect();
  const meet = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1
    && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1;
  const within = (a, room) => a.left >= room.left - 1 && a.right <= room.right + 1
    && a.top >= room.top - 1 && a.bottom <= room.bottom + 1;
  const named = (part) => part.id || part.textContent || part.getAttribute("class");

  const known = new Map(); // finding the points along a path takes most of the time
  const along = (path, grain) => {
    const d = path.getAttribute("d");
    if (!known.has(d)) {
      const count = Math.floor(path.getTotalLength() / grain) + 1;
      known.set(d, Array.from({ length: count }, (_, i) => path.getPointAtLength(grain * i)));
    }
    const { a, b, c, d: e, e: f, f: g } = path.getScreenCTM();
    return known.get(d).map(({ x, y }) => ({ x: a * x + c * y + f, y: b * x + e * y + g }));
  };
  const holds = (room, { x, y }) => x > room.left && x < room.right && y > room.top && y < room.bottom;

  // Two convex shapes overlap if no line along a side of either parts them.
  const overlap = (one, other) => [one, other].every((shape) => shape.every(([x, y], i) => {
    const [x1, y1] = shape[(i + 1) % shape.length];
    const [across, down] = [y1 - y, x - x1];
    const far = Math.hypot(across, down);
    const spread = (points) => points.map(([px, py]) => (px * across + py * down) / far);
    const [a, b] = [spread(one), spread(other)];
    return Math.min(Math.max(...a), Math.max(...b)) - Math.max(Math.min(...a), Math.min(...b)) > 0.5;
  }));
  const corners = (part, points) => {
    const at = part.getCTM();
    return points.map(([x, y]) => [at.a * x + at.c * y + at.e, at.b * x + at.d * y + at.f]);
  };
  const triangle = (arrow) => corners(arrow, [[-6, -4.5], [8, 0], [-6, 4.5]]);
  const digits = (text) => Array.from({ length: text.getNumberOfChars() }, (_, i) => {
    const { x, y, width, height } = text.getExtentOfChar(i); // digits are lower than lines
    const [top, bottom] = [y + 0.25 * height, y + 0.8 * height];
    return corners(text, [[x, top], [x + width, top], [x + width, bottom], [x, bottom]]);
  });

  const found = new Set();
  let seen = 0;

  // The product covers no active wire, no shape, no number and no other product, and is in sight;
  // so is the gate of the step. No arrow lies over a digit.
  const look = (where) => {
    const note = (what) => found.add(`${where}: ${what}`);
    const frame = box($("viewport"));
    const chips = all(".chip .paper");
    const numbers = written("#graph .wire text, #graph .tap text");
    const shapes = all("#graph .node > rect:first-of-type");
    const ways = all("#underlay path.back").flatMap((way) => along(way, 2));
    for (const [i, chip] of chips.entries()) {
      seen += 1;
      const room = box(chip);
      for (const other of [...chips.slice(0, i), ...shapes, ...numbers]) {
        if (meet(room, box(other))) note(`product over ${named(other.closest("g"))}`);
      }
      if (ways.some((point) => holds(room, point))) note("product over its wire");
    }
    for (const part of [...chips, ...all("#underlay rect.halo")]) {
      if (where.startsWith("wire") && !where.endsWith(" 1") && !within(box(part), frame)) note("out of sight");
    }
    for (const arrow of all("#graph .arrow")) {
      for (const text of numbers.filter((near) => meet(box(near), box(arrow)))) {
        const digit = digits(text).find((corner) => overlap(triangle(arrow), corner));
        if (digit) note(`arrow over ${text.textContent}`);
      }
    }
  };

  // Lines keep clear of shapes that they pass and reach those at their ends; text has room in its
  // box, and numbers on their wires.
  const lookOnce = () => {
    const rects = all("#graph .node, #graph .tap").map((shape) => [shape.id, shape.querySelector("rect").getBBox()]);
    const touches = ({ x, y }, room, by) => x > room.x - by && x < room.x + room.width + by
      && y > room.y - by && y < room.y + room.height + by;
    for (const line of all("#graph path.line")) {
      const gate = line.id.replace(/-[^-]+$/, "");
      const own = [gate, gate.replace(/-wire$/, ""), `${line.id}-tap`, `${line.id}-box`];
      const isOwn = (id) => own.includes(id) || (line.id.endsWith("-into") && id.startsWith("b"));
      const length = line.getTotalLength();
      for (let at = 0; at <= length; at += 2) {
        const point = line.getPointAtLength(at);
        const passed = rects.find(([id, room]) => !isOwn(id) && touches(point, room, 2));
        if (passed) found.add(`${line.id} touches ${passed[0]}`);
      }
      if (!line.matches(".enters, [id$='-out']")) continue;
      const end = line.getPointAtLength(line.matches(".enters") ? length : 0);
      const at = rects.find(([id]) => id === gate);
      if (at && !touches(end, at[1], 1)) found.add(`${line.id} does not reach ${gate}`);
    }
    for (const shape of all("#graph .node")) {
      const [room, text] = ["rect", "text"].map((kind) => shape.querySelector(kind)?.getBBox());
      if (text?.width && (text.x < room.x + 4 || text.x + text.width > room.x + room.width - 4)) found.add(`text of ${shape.id}`);
    }
    for (const wire of all("#graph .wire")) {
      const room = wire.querySelector("path").getTotalLength();
      for (const text of wire.querySelectorAll("text")) if (text.getBBox().width > room + 1) found.add(`long number ${text.textContent}`);
    }
  };

  for (const view of ["wire", "gate"]) {
    document.querySelector(`[name=view][value=${view}]`).click();
    $("first").click();
    for (let k = 1; ; k += 1) {
      look(`${view} ${k}`);
      if ($("next").getAttribute("aria-disabled") === "true") break;
      $("next").click();
    }
  }
  lookOnce();
  return [seen, [...found]];
}
