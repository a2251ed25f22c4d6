// Numbers as the page shows them: four significant digits, and ≈ where that left something out.
// The rules are those of scalargrad.show.number_format; a test holds the two together.

const NOISE = 1e-12; // 0.1 + 0.2 counts as 0.3
const FAITHFUL = 5e-4;
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
const shownNumber = (x) => Number(digitsOf(x));

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

// The number that is written for x, exactly; null if it is not finite.
const decimal = (x) => readDecimal(digitsOf(x));

// The sign between a formula, which gives a decimal of the numbers shown, or null where none is
// known, and its result: = where it is that, exactly and as shown.
function resultRelation(exact, result) {
  if (Number.isNaN(result)) return "=";
  return exact !== null && exact === decimal(result) ? "=" : "≈";
}

// The product of two numbers as they are shown, exactly; null if there is none.
const exactProduct = (left, right) => times(decimal(left), decimal(right));

// What terms add up to as they are shown.
const added = (terms) => terms.map(decimal).reduce(plus, 0n);

// The sign between a product and its result.
const productRelation = (left, right, product) => resultRelation(exactProduct(left, right), product);

// A sum of contributions as far as they have arrived; ? stands for what is to come.
function runningSum(terms, arrived, expected) {
  const indices = arrived <= LONGEST_SUM ? [...Array(arrived).keys()] : [0, arrived - 2, arrived - 1];
  const words = indices.map((i) => number(terms[i]));
  if (arrived > LONGEST_SUM) words.splice(1, 0, "…");
  if (arrived < expected) words.push("?");
  const result = arrived < expected ? "" : ` ${sumResult(terms)}`;
  return `${relation(...terms.slice(0, arrived))} ${addedUp(words)}${result}`;
}

// Terms as a sum: a negative one is taken away.
const addedUp = (words) => words.join(" + ").replaceAll("+ −", "− ");

// What a complete sum comes to: rounded terms are added as they are shown, where that is the total but
// for half a unit of the last place.
function sumResult(terms) {
  let total = 0;
  for (const term of terms) total += term;
  const exact = added(terms);
  if (exact !== null && Number.isFinite(total)) {
    const off = Math.abs(total - nearest(exact));
    const unit = Number(`1e${/0*$/.exec(String(exact))[0].length - PLACES}`);
    if (2 * off <= unit && off <= FAITHFUL * Math.abs(total)) total = nearest(exact);
  }
  return `${resultRelation(exact, total)} ${number(total)}`;
}

// Decimals: whole numbers of 10^-400, which are exact. There is none for 1/3, nor for what is not finite:
// that is null, and so is what is computed of it.

const PLACES = 400;
const ONE = 10n ** BigInt(PLACES);

const exactly = (compute) => (...operands) => (operands.includes(null) ? null : compute(...operands));
const plus = exactly((a, b) => a + b);
const minus = exactly((a, b) => a - b);
const times = exactly((a, b) => ((a * b) % ONE ? null : (a * b) / ONE));
const over = exactly((a, b) => (!b || (a * ONE) % b ? null : (a * ONE) / b));
const nearest = (a) => Number(`${a}e-${PLACES}`);

// A number as it is written.
function readDecimal(written) {
  const [mantissa, exponent = 0] = written.split("e");
  const [whole, decimals = ""] = mantissa.split(".");
  return /\d/.test(whole) ? BigInt(whole + decimals) * 10n ** BigInt(PLACES + Number(exponent) - decimals.length) : null;
}
