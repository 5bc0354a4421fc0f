/**
 * Settles ten million offsets of one ledger in order, shuffled (all in flight at once, and within a window), and all
 * but the first, and prints what each costs. A script: node --expose-gc core/testing/ledger-bench.ts [messages]
 */
import { ByteReader, ByteWriter } from '../log/bytes.ts';
import { Ledger } from '../state/ledger.ts';

const total = Number(process.argv[2] ?? 10_000_000);
const WINDOW = 1000;
/** A prime above any window, so that n × STEP runs through all numbers below `total` once. */
const STEP = 7_368_787;

function heapBytes(): number {
  // Freed typed arrays are counted off by the second collection.
  for (let n = 0; n < 2; n++) (globalThis as { gc?: () => void }).gc?.();
  const memory = process.memoryUsage();
  return memory.heapUsed + memory.arrayBuffers;
}

/** `run` returns how many operations it made and what to call for its largest memory. */
function measure(name: string, run: (ledger: Ledger, peak: () => void) => number): void {
  const before = heapBytes();
  const ledger = new Ledger(0);
  let peakBytes = 0;
  let measuring = 0;
  const peak = (): void => {
    const from = performance.now();
    peakBytes = Math.max(peakBytes, heapBytes() - before);
    measuring += performance.now() - from;
  };
  const from = performance.now();
  const operations = run(ledger, peak);
  const ms = performance.now() - from - measuring;
  const endBytes = heapBytes() - before;
  const line = [
    name.padEnd(44),
    `${((ms * 1e6) / operations).toFixed(1).padStart(7)} ns/op`,
    `peak ${(peakBytes / 1024).toFixed(0).padStart(7)} KiB`,
    `end ${(endBytes / 1024).toFixed(0).padStart(6)} KiB`,
    `floor ${ledger.floor}`,
  ];
  console.log(line.join('  '));
}

const nothing = (): void => {};

console.log(`${total} messages, Node ${process.version}, one operation is an acquire or a settlement`);
for (let round = 0; round < 2; round++) {
  measure('in order, one in flight', (ledger, peak) => {
    for (let n = 0; n < total; n++) ledger.settle(ledger.acquire(total, 1, 0, 0));
    peak();
    return 2 * total;
  });
  measure('in order, one in flight, with a deadline', (ledger, peak) => {
    for (let n = 0; n < total; n++) ledger.settle(ledger.acquire(total, 1, 60_000 + n / 100, n / 100));
    peak();
    return 2 * total;
  });
  measure(`shuffled in windows of ${WINDOW}`, (ledger, peak) => {
    for (let start = 0; start < total; start += WINDOW) {
      for (let n = 0; n < WINDOW; n++) ledger.acquire(total, 1, 0, 0);
      for (let n = 0; n < WINDOW; n++) ledger.settle(start + ((n * 7919) % WINDOW));
      if (start % (WINDOW * 1000) === 0) peak();
    }
    return 2 * total;
  });
  measure('shuffled, all in flight', (ledger, peak) => {
    for (let n = 0; n < total; n++) ledger.acquire(total, 1, 0, 0);
    peak();
    for (let n = 0; n < total; n++) ledger.settle((n * STEP) % total);
    return 2 * total;
  });
  measure('all but the first', (ledger, peak) => {
    ledger.acquire(total, 1, 0, 0);
    for (let n = 1; n < total; n++) ledger.settle(ledger.acquire(total, 1, 0, 0));
    peak();
    return 2 * total;
  });
  measure('every second one settled (worst case of holes)', (ledger, peak) => {
    for (let n = 0; n < total; n += 2) ledger.skip(n + 1, 1);
    peak();
    return total / 2;
  });
  measure('a million taken, given back, taken, settled', (ledger, peak) => {
    const count = Math.min(total, 1_000_000);
    for (let n = 0; n < count; n++) ledger.acquire(total, n & 1, 0, 0);
    ledger.release(0, nothing);
    ledger.release(1, nothing);
    peak();
    for (let n = 0; n < count; n++) ledger.settle(ledger.acquire(total, 1, 0, 0));
    return 4 * count;
  });
  measure('snapshot of every second one, written and read', (ledger, peak) => {
    for (let n = 0; n < total; n += 2) ledger.skip(n + 1, 1);
    const from = performance.now();
    const writer = new ByteWriter();
    ledger.write(writer);
    const written = performance.now();
    Ledger.read(new ByteReader(writer.done()));
    const read = performance.now();
    console.log(
      `  ${writer.length} bytes, ${(written - from).toFixed(1)} ms to write, ${(read - written).toFixed(1)} to read`,
    );
    peak();
    return total / 2;
  });
}
