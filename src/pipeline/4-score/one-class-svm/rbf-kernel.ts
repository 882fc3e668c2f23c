/**
 * The Gaussian kernel exp(-gamma·d²) of many squared distances at once. The exponential is made here, by a table of
 * powers of two and a polynomial: Math.exp is a call out of compiled code, and this is nearly all the time of the
 * algorithm. It is within two units in the last place of Math.exp, and exactly 1 at distance 0.
 */

const stepsPerPower = 64;
const stepShift = 6;
const stepMask = stepsPerPower - 1;
/** Beyond 2^-1074 there is no number but zero. */
const powerCount = 1075;
const fractionPowers = Float64Array.from({ length: stepsPerPower }, (_, step) => 2 ** (-step / stepsPerPower));
const wholePowers = Float64Array.from({ length: powerCount }, (_, power) => 2 ** -power);
const stepsMax = (powerCount - 1) * stepsPerPower;
const stepLog = Math.LN2 / stepsPerPower;

/**
 * Kernel values in place of squared distances.
 *
 * @param distances  [count] squared, not negative; read only
 * @param out        [count]; overwritten. Float32Array for what the solver sees, which is single precision
 */
export function fillKernel(distances: Float64Array, count: number, gamma: number, out: Float32Array): void {
  const scale = gamma / stepLog;
  for (let i = 0; i < count; i++) {
    const steps = (distances[i] as number) * scale;
    if (!(steps < stepsMax)) {
      out[i] = 0;
      continue;
    }
    const whole = (steps + 0.5) | 0;
    const rest = (whole - steps) * stepLog;
    out[i] = (fractionPowers[whole & stepMask] as number) * (wholePowers[whole >> stepShift] as number) *
      (1 + rest * (1 + rest * (1 / 2 + rest * (1 / 6 + rest * (1 / 24 + rest * (1 / 120))))));
  }
}

/** Sum of kernel values times weights, in double precision throughout. @param weights  [count] */
export function sumKernel(distances: Float64Array, weights: Float64Array, count: number, gamma: number): number {
  const scale = gamma / stepLog;
  let sum = 0;
  for (let i = 0; i < count; i++) {
    const steps = (distances[i] as number) * scale;
    if (!(steps < stepsMax)) continue;
    const whole = (steps + 0.5) | 0;
    const rest = (whole - steps) * stepLog;
    sum += (weights[i] as number) * (fractionPowers[whole & stepMask] as number) *
      (wholePowers[whole >> stepShift] as number) *
      (1 + rest * (1 + rest * (1 / 2 + rest * (1 / 6 + rest * (1 / 24 + rest * (1 / 120))))));
  }
  return sum;
}
