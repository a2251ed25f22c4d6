// Numbers as the page shows them: four significant digits, and ≈ where that left something out.
// The rules are those of scalargrad.show.number_format; a test holds the two together.

const NOISE = 1e-12; // 0.1 + 0.2 counts as 0.3
const LONGEST_SUM = 6;
const DIGITS = 4;

// Write x with four significant digits, as JavaScript reads it: below a million without an exponent.
function digitsOf(x) {
  if (!Number.isFinite(x)) return Number.isNaN(x) ? "nan" : x > 0 ? "inf" : "-inf";
  if (x === 0) return "0";
  const [mantissa, power] = toEvenDigits(Math.abs(x));
  const exponent = power + DIGITS - 1;
  const sign = x < 0 ? "-" : "";
  if (exponent < -4 || Math.abs(x) >= 1e6) return `${sign}${mantissa / 10 ** (DIGITS - 1)}e${exponent}`;
  return sign + Number(`${mantissa}e${power}`);
}

// Round x > 0 to these digits, mantissa · 10^power; a tie goes to the even digit, as in Python.
function toEvenDigits(x) {
  const [written, exponent] = x.toExponential(DIGITS - 1).split("e");
  let mantissa = Number(written.replace(".", ""));
  const exact = x.toExponential(60).split("e");
  const isTie = exact[1] === exponent && /^50*$/.test(exact[0].replace(".", "").slice(DIGITS));
  if (isTie && mantissa % 2 === 1) mantissa -= 1;
  return [mantissa, Number(exponent) - DIGITS + 1];
}

const trueMinus = (written) => written.replaceAll("-", "−");

// Write x with four significant digits.
const number = (x) => trueMinus(digitsOf(x));

// Write x with every digit.
const exact = (x) => trueMinus(String(x));

const raised = (written) => written.replace(/[-−\d]/g, (sign) => "⁻⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-−0123456789".indexOf(sign)]);

// The least of 1, 2, 5, 10, 20 … that is no smaller than x.
function roundAbove(x) {
  const power = 10 ** Math.floor(Math.log10(x));
  return [1, 2, 5, 10].map((k) => k * power).find((round) => round >= x * (1 - 1e-9));
}

// Write x with its sign, also where it is positive: a change.
function signed(x) {
  return x <= 0 ? number(x) : `+${number(x)}`;
}

// The number that is written for x.
const shownNumber = (x) => (Number.isFinite(x) ? Number(digitsOf(x)) : x);

// The smallest floats lie further apart than noise: 5e-324 is read from 4.941e-324, and is not it.
const areSame = (a, b) => (a === 0 && b === 0) || Math.abs(a - b) < NOISE * Math.abs(b);

const isRounded = (x) => Number.isFinite(x) && !areSame(shownNumber(x), x);

// The sign that joins numbers as shown: = or, where one of them is rounded, ≈.
function relation(...numbers) {
  return numbers.some(isRounded) ? "≈" : "=";
}

// The sign of a chain of signs: ≈ if one of them is.
const loosest = (...signs) => (signs.includes("≈") ? "≈" : "=");

// What stands behind a name: "= 0.5" or, where digits were left out, "≈ 0.3333".
const equalTo = (x) => `${relation(x)} ${number(x)}`;

// The sign between a formula, which gives a number of those shown, or NaN where that is not known to be
// just what is shown, and its result: = where it is that as shown.
function resultRelation(found, result) {
  if (Number.isNaN(result)) return "=";
  return Number.isFinite(result) && areSame(found, shownNumber(result)) ? "=" : "≈";
}

// The product of two numbers as they are shown; NaN where a float could not hold it.
function shownProduct(left, right) {
  const found = shownNumber(left) * shownNumber(right);
  return found === 0 && left !== 0 && right !== 0 ? NaN : found;
}

// The sign between a product and its result.
const productRelation = (left, right, product) => resultRelation(shownProduct(left, right), product);

const sumOf = (terms) => terms.reduce((sum, term) => sum + term, 0);

// A sum of contributions as far as they have arrived; ? stands for what is to come.
function runningSum(terms, arrived, expected) {
  const indices = arrived <= LONGEST_SUM ? [...Array(arrived).keys()] : [0, arrived - 2, arrived - 1];
  const words = indices.map((i) => number(terms[i]));
  if (arrived > LONGEST_SUM) words.splice(1, 0, "…");
  if (arrived < expected) words.push("?");
  const total = sumOf(terms);
  const result = arrived < expected ? "" : ` ${resultRelation(sumOf(terms.map(shownNumber)), total)} ${number(total)}`;
  return `${relation(...terms.slice(0, arrived))} ${addedUp(words)}${result}`;
}

// Terms as a sum: a negative one is taken away.
const addedUp = (words) => words.join(" + ").replaceAll("+ −", "− ");
