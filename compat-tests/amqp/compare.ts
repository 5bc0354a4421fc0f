// The scenarios against RabbitMQ and against ours, and what differs. A difference is meant (a row in differences.ts, with
// exactly these lines), not built yet (a name in not-yet.ts), or a finding; and so is a row or name without a difference.
import type { Brokers } from './brokers.ts';
import { ADDED, DIFFERENCES } from './differences.ts';
import { NOT_YET } from './not-yet.ts';
import { FAILED, play, type Scenario } from './scene.ts';

const AT_ONCE = 10;
const AT_ONCE_AGAIN = 3;

export type Verdict =
  | 'same'
  | 'meant'
  | 'not yet'
  | 'not played'
  | 'differs'
  | 'no longer differs'
  | 'differs otherwise';

export interface Comparison {
  readonly scenario: string;
  readonly rabbitmq: readonly string[];
  readonly ours: readonly string[];
  /** The lines of each that the other does not have there. */
  readonly onlyRabbitmq: readonly string[];
  readonly onlyOurs: readonly string[];
  readonly verdict: Verdict;
}

export const isFinding = (one: Comparison): boolean => !['same', 'meant', 'not yet'].includes(one.verdict);

/** Both transcripts as one, by their longest common subsequence; each line with who has it. */
export function merged(
  a: readonly string[],
  b: readonly string[],
): [who: 'both' | 'RabbitMQ' | 'ours', line: string][] {
  const best = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i--)
    for (let j = b.length - 1; j >= 0; j--)
      best[i]![j] = a[i] === b[j] ? best[i + 1]![j + 1]! + 1 : Math.max(best[i + 1]![j]!, best[i]![j + 1]!);
  const lines: ReturnType<typeof merged> = [];
  for (let [i, j] = [0, 0]; i < a.length || j < b.length; ) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      lines.push(['both', a[i++]!]);
      j++;
    } else if (j >= b.length || (i < a.length && best[i + 1]![j]! >= best[i]![j + 1]!))
      lines.push(['RabbitMQ', a[i++]!]);
    else lines.push(['ours', b[j++]!]);
  }
  return lines;
}

const same = (a: readonly string[], b: readonly string[]): boolean => JSON.stringify(a) === JSON.stringify(b);

function judge(name: string, rabbitmq: readonly string[], ours: readonly string[]): Comparison {
  const lines = merged(rabbitmq, ours);
  const [onlyRabbitmq, onlyOurs] = (['RabbitMQ', 'ours'] as const).map((who) =>
    lines.filter(([whose]) => whose === who).map(([, line]) => line),
  ) as [string[], string[]];
  const meant = DIFFERENCES[name];
  // A scenario that could not be played says the same of both and proves nothing.
  const isPlayed = !lines.some(([, line]) => line.startsWith(FAILED));
  const isSame = onlyRabbitmq.length + onlyOurs.length === 0;
  let verdict: Verdict;
  if (!isPlayed) verdict = 'not played';
  else if (isSame) verdict = meant || NOT_YET.has(name) ? 'no longer differs' : 'same';
  else if (meant)
    verdict = same(meant.rabbitmq, onlyRabbitmq) && same(meant.ours, onlyOurs) ? 'meant' : 'differs otherwise';
  else verdict = NOT_YET.has(name) ? 'not yet' : 'differs';
  return { scenario: name, rabbitmq, ours, onlyRabbitmq, onlyOurs, verdict };
}

async function compareOne(one: Scenario, brokers: Brokers): Promise<Comparison> {
  const [rabbitmq, all] = await Promise.all([play(one, brokers.rabbitmq), play(one, brokers.ours)]);
  const ours = all.map((line) => ADDED.reduce((left, { pattern }) => left.replaceAll(pattern, ''), line));
  return judge(one.name, rabbitmq, ours);
}

async function compareSome(scenarios: readonly Scenario[], brokers: Brokers, atOnce: number): Promise<Comparison[]> {
  const left = [...scenarios];
  const found = new Map<string, Comparison>();
  const one = async (): Promise<void> => {
    for (let next = left.shift(); next; next = left.shift()) found.set(next.name, await compareOne(next, brokers));
  };
  await Promise.all(Array.from({ length: atOnce }, one));
  return scenarios.map(({ name }) => found.get(name)!);
}

/**
 * Compares all, some at a time. What is a finding is played a second time with less beside it, because on a busy machine a
 * timer may be late in one of the brokers; the second result counts.
 */
export async function compare(scenarios: readonly Scenario[], brokers: Brokers): Promise<Comparison[]> {
  const first = await compareSome(scenarios, brokers, AT_ONCE);
  const again = scenarios.filter((_, i) => isFinding(first[i]!));
  const second = await compareSome(again, brokers, AT_ONCE_AGAIN);
  return first.map((one) => second.find((other) => other.scenario === one.scenario) ?? one);
}

/** A comparison as text: both transcripts as one, and who has what the other has not. */
export function described(one: Comparison): string {
  const lines = merged(one.rabbitmq, one.ours);
  return [
    `${one.scenario}: ${one.verdict}`,
    ...lines.map(([who, line]) => `  ${(who === 'both' ? '' : who).padEnd(8)} ${line}`),
  ].join('\n');
}
