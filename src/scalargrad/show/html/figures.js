// Numbers as the page shows them: four significant digits, and ≈ where that left something out.
// The rules are those of scalargrad.show.figures; a test holds the two together.

const NOISE = 1e-12; // 0.1 + 0.2 counts as 0.3
const FAITHFUL = 5e-4;
const LONGEST_SUM = 5;

// Write x with so many significant digits, the exponent as short as it goes.
function numberText(x, digits = 4) {
  if (Number.isNaN(x)) return "nan";
  if (!Number.isFinite(x)) return x > 0 ? "inf" : "-inf";
  if (x === 0) return Object.is(x, -0) ? "-0" : "0";
  const [mantissa, power] = toEvenDigits(Math.abs(x), digits);
  const exponent = power + digits - 1;
  const sign = x < 0 ? "-" : "";
  const written = String(mantissa);
  if (exponent < -4 || exponent >= digits) {
    const decimals = written.slice(1).replace(/0+$/, "");
    return `${sign}${written[0]}${decimals && "."}${decimals}e${exponent}`;
  }
  const padded = exponent < 0 ? "0".repeat(-exponent) + written : written;
  const point = exponent < 0 ? 1 : exponent + 1;
  const decimals = padded.slice(point).replace(/0+$/, "");
  return `${sign}${padded.slice(0, point)}${decimals && "."}${decimals}`;
}

// Round x > 0 to so many digits, mantissa · 10^power; a tie goes to the even digit, as in Python.
function toEvenDigits(x, digits) {
  const [written, exponent] = x.toExponential(digits - 1).split("e");
  let mantissa = Number(written.replace(".", ""));
  const exact = x.toExponential(60).split("e");
  const isTie = Number(exact[1]) === Number(exponent)
    && /^50*$/.test(exact[0].replace(".", "").slice(digits));
  if (isTie && mantissa % 2 === 1) mantissa -= 1;
  return [mantissa, Number(exponent) - digits + 1];
}

// Write x with four significant digits; a number below a million has no exponent.
function number(x) {
  const written = numberText(x + 0);
  if (written.includes("e") && Math.abs(x) >= 1 && Math.abs(x) < 1e6) {
    return Number(written).toFixed(0);
  }
  return written === "-0" ? "0" : written;
}

// Write x with its sign, also where it is positive: a change.
function signed(x) {
  return x <= 0 ? number(x) : `+${number(x)}`;
}

function isRounded(x) {
  return Number.isFinite(x) && Math.abs(Number(number(x)) - x) > NOISE * Math.abs(x);
}

// The sign that joins numbers as shown: = or, where one of them is rounded, ≈.
function relation(...numbers) {
  return numbers.some(isRounded) ? "≈" : "=";
}

// The sign between a product and its result: = where it is exact and holds as shown.
function productRelation(left, right, product) {
  if (![left, right, product].every(Number.isFinite)) return "=";
  if (isRounded(product)) return "≈";
  const [a, b, c] = [left, right, product].map((x) => decimal(number(x)));
  return sameDecimal({ digits: a.digits * b.digits, power: a.power + b.power }, c) ? "=" : "≈";
}

// A sum of contributions as far as they have arrived; ? stands for what is to come.
function runningSum(terms, arrived, expected) {
  const indices = arrived <= LONGEST_SUM ? [...Array(arrived).keys()] : [0, arrived - 2, arrived - 1];
  const shown = indices.map((i) => terms[i]);
  const words = shown.map(number);
  if (arrived > LONGEST_SUM) words.splice(1, 0, "…");
  if (arrived < expected) words.push("?");
  const result = arrived < expected ? "" : ` ${sumResult(terms)}`;
  return `${relation(...shown)} ${words.join(" + ").replaceAll("+ -", "- ")}${result}`;
}

// What a complete sum comes to: rounded terms are added as they are shown, where that is honest.
function sumResult(terms) {
  let total = 0;
  for (const term of terms) total += term;
  const exact = !terms.some(isRounded);
  if (!exact && terms.length <= LONGEST_SUM && [...terms, total].every(Number.isFinite)) {
    const added = terms.map((term) => decimal(number(term))).reduce(addDecimals, decimal("0"));
    const shown = decimalNumber(added);
    if (roundsTo(total, added) && Math.abs(shown - total) <= FAITHFUL * Math.abs(total)) {
      return `= ${number(shown)}`;
    }
  }
  return `${exact ? relation(total) : "≈"} ${number(total)}`;
}

// Decimals, exactly: digits · 10^power with whole numbers of any size.
function decimal(written) {
  const [mantissa, exponent = "0"] = written.split("e");
  const [whole, fraction = ""] = mantissa.split(".");
  return { digits: BigInt(whole + fraction), power: Number(exponent) - fraction.length };
}

function atPower({ digits, power }, lower) {
  return digits * 10n ** BigInt(power - lower);
}

function addDecimals(a, b) {
  const power = Math.min(a.power, b.power);
  return shortDecimal({ digits: atPower(a, power) + atPower(b, power), power });
}

// Keep 28 digits, as Python's decimals do.
function shortDecimal({ digits, power }) {
  const excess = String(digits).replace("-", "").length - 28;
  if (excess <= 0) return { digits, power };
  const unit = 10n ** BigInt(excess);
  const half = digits < 0n ? -unit / 2n : unit / 2n;
  return { digits: (digits + half) / unit, power: power + excess };
}

function sameDecimal(a, b) {
  const power = Math.min(a.power, b.power);
  return atPower(a, power) === atPower(b, power);
}

function decimalNumber({ digits, power }) {
  return Number(`${digits}e${power}`);
}

// Whether x, rounded to the place of the last digit of a decimal, is that decimal.
function roundsTo(x, { digits, power }) {
  const exact = exactDecimal(x);
  const lower = Math.min(exact.power, power);
  const unit = atPower({ digits: 1n, power }, lower);
  const apart = atPower(exact, lower) - atPower({ digits, power }, lower);
  const twice = 2n * (apart < 0n ? -apart : apart);
  return twice < unit || (twice === unit && digits % 2n === 0n);
}

// A float as a decimal: each is a whole number times a power of two.
function exactDecimal(x) {
  const bits = new DataView(new ArrayBuffer(8));
  bits.setFloat64(0, x);
  const raw = bits.getBigUint64(0);
  const biased = Number((raw >> 52n) & 0x7ffn);
  const fraction = raw & 0xfffffffffffffn;
  const mantissa = biased ? fraction | (1n << 52n) : fraction;
  const power = (biased || 1) - 1075;
  const magnitude = power >= 0 ? mantissa << BigInt(power) : mantissa * 5n ** BigInt(-power);
  return { digits: raw >> 63n ? -magnitude : magnitude, power: Math.min(power, 0) };
}
