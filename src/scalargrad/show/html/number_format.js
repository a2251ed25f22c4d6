// Numbers as the page shows them: four significant digits, and ≈ where that left something out.
// The rules are those of scalargrad.show.number_format; a test holds the two together.

const NOISE = 1e-12; // 0.1 + 0.2 counts as 0.3
const FAITHFUL = 5e-4;
const LONGEST_SUM = 6;

// Write x with so many significant digits, the exponent as short as it goes.
function numberText(x, digits = 4) {
  if (Number.isNaN(x)) return "nan";
  if (!Number.isFinite(x)) return x > 0 ? "inf" : "-inf";
  if (x === 0) return Object.is(x, -0) ? "-0" : "0";
  const [mantissa, power] = toEvenDigits(Math.abs(x), digits);
  const exponent = power + digits - 1;
  const sign = x < 0 ? "-" : "";
  if (exponent < -4 || exponent >= digits) return `${sign}${mantissa / 10 ** (digits - 1)}e${exponent}`;
  return sign + Number(`${mantissa}e${power}`);
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

// Write x as JavaScript reads it; a number below a million has no exponent.
function digitsOf(x) {
  const written = numberText(x + 0);
  if (written.includes("e") && Math.abs(x) >= 1 && Math.abs(x) < 1e6) {
    return Number(written).toFixed(0);
  }
  return written === "-0" ? "0" : written;
}

const trueMinus = (written) => written.replaceAll("-", "−");

// Write x with four significant digits.
const number = (x) => trueMinus(digitsOf(x));

// Write x with every digit.
const exact = (x) => trueMinus(String(x));

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
  return areEqual(exact, decimal(result)) ? "=" : "≈";
}

// The product of two numbers as they are shown, exactly; null if there is none.
const exactProduct = (left, right) => times(decimal(left), decimal(right));

// What terms add up to as they are shown.
const added = (terms) => terms.map(decimal).reduce(plus, ZERO);

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
  if (exact && Number.isFinite(total)) {
    const off = Math.abs(total - nearest(exact));
    if (2 * off <= Number(`1e${exact.e}`) && off <= FAITHFUL * Math.abs(total)) total = nearest(exact);
  }
  return `${resultRelation(exact, total)} ${number(total)}`;
}

// Decimals {n, e}: n·10^e, where n is a whole number of at most 50 digits that does not end in 0. A
// function returns null where there is no such number, as for 1/3, and of null.

const MOST = 10n ** 50n;
const SCALE = 100; // the digits of a quotient of two such numbers that has an end
const ZERO = { n: 0n, e: 0 };

function normal(n, e) {
  if (!n) return ZERO;
  while (n % 10n === 0n) [n, e] = [n / 10n, e + 1];
  return n < MOST && n > -MOST ? { n, e } : null;
}

function plus(a, b) {
  if (!a || !b) return null;
  const e = Math.min(a.e, b.e);
  const [x, y] = [a, b].map((c) => c.n * 10n ** BigInt(c.e - e));
  return normal(x + y, e);
}

const times = (a, b) => a && b && normal(a.n * b.n, a.e + b.e);
const negative = (a) => a && { n: -a.n, e: a.e };

function over(a, b) {
  if (!a || !b?.n) return null;
  const n = a.n * 10n ** BigInt(SCALE);
  return n % b.n ? null : normal(n / b.n, a.e - b.e - SCALE);
}

const areEqual = (a, b) => Boolean(a && b) && a.n === b.n && a.e === b.e;
const nearest = ({ n, e }) => Number(`${n}e${e}`);

// A number as it is written.
function readDecimal(written) {
  const [mantissa, exponent = "0"] = written.split("e");
  const [whole, decimals = ""] = mantissa.split(".");
  return /\d/.test(whole) ? normal(BigInt(whole + decimals), exponent - decimals.length) : null;
}
