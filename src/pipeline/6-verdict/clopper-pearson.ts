/**
 * The exact upper bound of a share of which `hits` of `trials` were seen (Clopper and Pearson 1934): the largest share
 * under which so few are not yet improbable. Through the regularised incomplete beta function (DLMF 8.17).
 */
import { assertInvariant } from '#base';

/**
 * One-sided: with a probability of at least `confidence` the share is no larger. Of no hits in n trials it is 3/n.
 *
 * @returns 0..1; 1 without trials
 * @source Clopper, Pearson 1934, as a quantile of Beta(hits + 1, trials - hits)
 */
export function clopperPearsonUpper(hits: number, trials: number, confidence = 0.95): number {
  assertInvariant(Number.isSafeInteger(hits) && Number.isSafeInteger(trials) && hits >= 0 && hits <= trials,
    'hits are a part of the trials');
  assertInvariant(confidence > 0 && confidence < 1, 'a confidence lies between 0 and 1');
  if (hits === trials) return 1;
  const a = hits + 1;
  const b = trials - hits;
  const logBeta = logGamma(a) + logGamma(b) - logGamma(a + b);
  let low = hits / trials;
  let high = 1;
  // As a double has 53 bits and the share may be small: until nothing lies between.
  for (;;) {
    const middle = (low + high) / 2;
    if (middle <= low || middle >= high) return high;
    if (incompleteBeta(middle, a, b, logBeta) < confidence) low = middle;
    else high = middle;
  }
}

/** I_x(a, b), 0 < x < 1 (DLMF 8.17.22; the other half by 8.17.4). */
export function incompleteBeta(x: number, a: number, b: number, logBeta: number): number {
  const front = Math.exp(a * Math.log(x) + b * Math.log1p(-x) - logBeta);
  if (x > (a + 1) / (a + b + 2)) return 1 - front * betaFraction(1 - x, b, a) / b;
  return front * betaFraction(x, a, b) / a;
}

/** The continued fraction of DLMF 8.17.22 by the modified method of Lentz (Thompson and Barnett 1986). */
function betaFraction(x: number, a: number, b: number): number {
  let ratio = 1;
  let inverse = 1 / awayFromZero(1 - (a + b) * x / (a + 1));
  let value = inverse;
  for (let m = 1; m <= fractionTermsMax; m++) {
    const even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    inverse = 1 / awayFromZero(1 + even * inverse);
    ratio = awayFromZero(1 + even / ratio);
    value *= inverse * ratio;
    const odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    inverse = 1 / awayFromZero(1 + odd * inverse);
    ratio = awayFromZero(1 + odd / ratio);
    const step = inverse * ratio;
    value *= step;
    if (Math.abs(step - 1) < 1e-15) break;
  }
  return value;
}

/** Near its mode it takes about √(a + b) terms: this is enough for 10^10 trials. */
const fractionTermsMax = 200_000;

function awayFromZero(value: number): number {
  return Math.abs(value) < 1e-300 ? 1e-300 : value;
}

/** ln Γ(x), x > 0: Stirling's series (DLMF 5.11.1) from 12 on, below by Γ(x + 1) = x Γ(x). */
export function logGamma(x: number): number {
  let at = x;
  let product = 1;
  while (at < 12) product *= at++;
  const inverse = 1 / at;
  const square = inverse * inverse;
  const series = inverse * (1 / 12 - square * (1 / 360 - square * (1 / 1_260 - square / 1_680)));
  return (at - 0.5) * Math.log(at) - at + 0.5 * Math.log(2 * Math.PI) + series - Math.log(product);
}
