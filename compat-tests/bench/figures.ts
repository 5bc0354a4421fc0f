// Figures of a benchmark: by row, then by server; a figure is the median over the repeats. And how they are told.

/** The middle value; of an even number of values the mean of the middle two; 0 of none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[sorted.length / 2 - 1] ?? 0) + upper) / 2;
}

export class Figures<Server extends string> {
  readonly #rows = new Map<string, Map<Server, number[]>>();

  add(row: string, server: Server, value: number): void {
    const servers = this.#rows.get(row) ?? new Map<Server, number[]>();
    this.#rows.set(row, servers);
    servers.set(server, [...(servers.get(server) ?? []), value]);
  }

  median(row: string, server: Server): number | null {
    const values = this.#rows.get(row)?.get(server);
    return values ? median(values) : null;
  }

  /** The rows whose name begins so, in the order in which they were first measured, without that beginning. */
  rows(prefix: string): string[] {
    return [...this.#rows.keys()].filter((row) => row.startsWith(prefix)).map((row) => row.slice(prefix.length));
  }
}

/** Values in an order that the random numbers decide. */
export const shuffledBy =
  (random: () => number) =>
  <T>(values: readonly T[]): T[] =>
    values
      .map((value) => ({ value, at: random() }))
      .toSorted((a, b) => a.at - b.at)
      .map(({ value }) => value);

export const thousands = (value: number | null): string =>
  value === null ? '–' : value >= 10_000 ? `${(value / 1e3).toFixed(1)} k/s` : `${Math.round(value)} /s`;
export const ratio = (ours: number | null, theirs: number | null): string =>
  ours === null || theirs === null || theirs === 0 ? '–' : `${(ours / theirs).toFixed(2)} ×`;
export const micros = (value: number | null): string => (value === null ? '–' : `${value.toFixed(1)} µs`);
export const millis = (value: number | null): string => (value === null ? '–' : `${Math.round(value)} ms`);
export const megabytes = (value: number | null): string =>
  value === null ? '–' : `${Math.round(value / 2 ** 20)} MiB`;
export const megabytesPerSecond = (value: number | null): string =>
  value === null ? '–' : `${(value / 1e6).toFixed(1)} MB/s`;
