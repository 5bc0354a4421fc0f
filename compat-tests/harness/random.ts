// Random numbers from a seed that a failing run prints: `COMPAT_SEED=<n>` replays it.

/** A generator (mulberry32) and the seed it started from. */
export function seeded(seed = Number(process.env.COMPAT_SEED ?? Math.floor(Math.random() * 2 ** 31))): {
  random: () => number;
  seed: number;
} {
  let state = seed >>> 0;
  const random = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  return { random, seed };
}
