// Numbers as text: four significant digits, and ≈ if digits were omitted. The rules are those of
// scalargrad.show.number_format; a test compares both.

const NOISE = 1e-12; // relative difference below which numbers are equal: 0.1 + 0.2 is 0.3
const LONGEST_SUM = 6;
const DIGITS = 4;

// Format x with four significant digits, as JavaScript reads it: below a million without an exponent.
function digitsOf(x) {
  if (!Number.isFinite(x)) return Number.isNaN(x) ? "nan" : x > 0 ? "inf" : "-inf";
  if (x === 0) return "0";
  const [mantissa, power] = toEvenDigits(Math.abs(x));
  const exponent = power + DIGITS - 1;
  const sign = x < 0 ? "-" : "";
  if (exponent < -4 || Math.abs(x) >= 1e6) return `${sign}${mantissa / 10 ** (DIGITS - 1)}e${exponent}`;
  return sign + Number(`${mantissa}e${power}`);
}

// Round x > 0 to four digits, mantissa · 10^power; ties go to the even digit, as in Python.
function toEvenDigits(x) {
  const [written, exponent] = x.toExponential(DIGITS - 1).split("e");
  let mantissa = Number(written.replace(".", ""));
  const exact = x.toExponential(60).split("e");
  const isTie = exact[1] === exponent && /^50*$/.test(exact[0].replace(".", "").slice(DIGITS));
  if (isTie && mantissa % 2 === 1) mantissa -= 1;
  return [mantissa, Number(exponent) - DIGITS + 1];
}

const withMinusSigns = (written) => written.replaceAll("-", "−");

// Format x with four significant digits.
const number = (x) => withMinusSigns(digitsOf(x));

// Format x with all digits.
const exact = (x) => withMinusSigns(String(x));

const superscript = (written) => written.replace(/[-−\d]/g, (sign) => "⁻⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-−0123456789".indexOf(sign)]);

// The smallest of 1, 2, 5, 10, 20 … that is at least x.
function roundAbove(x) {
  const power = 10 ** Math.floor(Math.log10(x));
  return [1, 2, 5, 10].map((k) => k * power).find((round) => round >= x * (1 - 1e-9));
}

// Format a change x, with a sign also if it is positive.
function signed(x) {
  return x <= 0 ? number(x) : `+${number(x)}`;
}

// The number that the formatted x stands for.
const numberAsShown = (x) => (Number.isFinite(x) ? Number(digitsOf(x)) : x);

// The gaps between the smallest floats exceed NOISE: 4.941e-324 is read as 5e-324, a different number.
const areSame = (a, b) => (a === 0 && b === 0) || Math.abs(a - b) < NOISE * Math.abs(b);

const isRounded = (x) => Number.isFinite(x) && !areSame(numberAsShown(x), x);

// The sign before formatted numbers: ≈ if one of them is rounded, else =.
function relation(...numbers) {
  return numbers.some(isRounded) ? "≈" : "=";
}

// The sign for several signs: ≈ if one of them is ≈.
const loosest = (...signs) => (signs.includes("≈") ? "≈" : "=");

// The text after a name: "= 0.5", or "≈ 0.3333" if digits were omitted.
const equalTo = (x) => `${relation(x)} ${number(x)}`;

// The sign between a formula and its result. `found` is the value of the formula at the displayed numbers,
// or NaN if it is not exactly known; the sign is = if it equals the displayed result.
function resultRelation(found, result) {
  if (Number.isNaN(result)) return "=";
  return Number.isFinite(result) && areSame(found, numberAsShown(result)) ? "=" : "≈";
}

// The product of two displayed numbers; NaN if it underflows.
function productAsShown(left, right) {
  const found = numberAsShown(left) * numberAsShown(right);
  return found === 0 && left !== 0 && right !== 0 ? NaN : found;
}

// The sign between a product and its result.
const productRelation = (left, right, product) => resultRelation(productAsShown(left, right), product);

const sumOf = (terms) => terms.reduce((sum, term) => sum + term, 0);

// A sum of the contributions so far, with ? for missing ones.
function runningSum(terms, arrived, expected) {
  const indices = arrived <= LONGEST_SUM ? [...Array(arrived).keys()] : [0, arrived - 2, arrived - 1];
  const words = indices.map((i) => number(terms[i]));
  if (arrived > LONGEST_SUM) words.splice(1, 0, "…");
  if (arrived < expected) words.push("?");
  const total = sumOf(terms);
  const result = arrived < expected ? "" : ` ${resultRelation(sumOf(terms.map(numberAsShown)), total)} ${number(total)}`;
  return `${relation(...terms.slice(0, arrived))} ${joinTerms(words)}${result}`;
}

// Join terms to a sum, with − before negative ones.
const joinTerms = (words) => words.join(" + ").replaceAll("+ −", "− ");
