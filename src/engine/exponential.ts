// exp for arguments of a softmax, the same bits on every machine and in the SIMD kernel.

const LN2_HIGH = 6.9314718036912381649e-1;
const LN2_LOW = 1.9082149292705877e-10;

/** 2^-n. */
const POWERS = new Float64Array(1023);
for (let n = 0, power = 1; n < POWERS.length; n++, power /= 2) POWERS[n] = power;

/**
 * exp(x) for x <= 0, NaN for NaN; the error is below 1 ulp.
 * fdlibm's e_exp.c (Sun Microsystems 1993, also V8's Math.exp): x = k ln 2 + r, then Remez' polynomial for
 * r (exp(r) + 1) / (exp(r) - 1).
 */
export function exponential(x: number): number {
  if (x < -7.4513321910194110842e2) return 0;
  if (x > -3.725290298461914e-9) return 1 + x;
  const k = x > -HALF_LN2 ? 0 : Math.trunc(Math.LOG2E * x - 0.5);
  const high = x - k * LN2_HIGH;
  const low = k * LN2_LOW;
  const r = high - low;
  const t = r * r;
  const polynomial =
    1.66666666666666019037e-1 +
    t *
      (-2.77777777770155933842e-3 +
        t *
          (6.61375632143793436117e-5 +
            t * (-1.6533902205465251539e-6 + t * 4.13813679705723846039e-8)));
  const c = r - t * polynomial;
  const y = 1 - (low - (r * c) / (2 - c) - high);
  // Below 2^-1021 in two factors, of which the first is normal.
  return k >= -1021 ? y * POWERS[-k] : y * POWERS[-k - 1000] * POWERS[1000];
}

/** The number above ln 2 / 2 whose lower half is 0. */
const HALF_LN2 = 0.3465735912322998;
