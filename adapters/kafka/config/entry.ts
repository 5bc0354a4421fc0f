// One configuration entry: its type, its default, what it accepts, and a sentence about it.
//
// Invariant: a value that `problemOf` passed can be read by `Number` where its type is a number, and stands for the same
// thing whoever reads it.

/** Config types of DescribeConfigs (ConfigDef.Type). */
export const TYPE = { boolean: 1, string: 2, int: 3, short: 4, long: 5, double: 6, list: 7 } as const;
/** Where a value comes from (DescribeConfigsResponse.ConfigSource). */
export const SOURCE = { topic: 1, dynamicBroker: 2, staticBroker: 4, default: 5 } as const;

export const LONG_MAX = '9223372036854775807';
const INT_MAX = 0x7fffffff;
/** A value is kept with its topic: nothing that means something is longer. */
const VALUE_CHARS_MAX = 4_096;

export interface Entry {
  readonly type: (typeof TYPE)[keyof typeof TYPE];
  readonly value: string;
  readonly doc: string;
  /** The broker's entry that gives the default of a topic's one. */
  readonly synonym?: string;
  /** The only values accepted; of a list, its elements. */
  readonly accepts?: readonly string[];
  readonly min?: number;
  readonly max?: number;
  /** Known to Kafka 3 alone: accepted, and told only where it was set. */
  readonly legacy?: boolean;
}

export interface ConfigPair {
  readonly name: string;
  readonly value: string | null;
}

export interface Synonym {
  readonly name: string;
  readonly value: string;
  readonly source: number;
}

/** An entry as it is told to a client. */
export interface ConfigAnswer {
  readonly name: string;
  readonly value: string;
  readonly source: number;
  readonly type: number;
  readonly doc: string;
  readonly synonyms: readonly Synonym[];
}

export function listOf(value: string): string[] {
  return value
    .split(',')
    .map((element) => element.trim())
    .filter((element) => element !== '');
}

/** What is wrong with the value, null when nothing is. */
export function problemOf(name: string, entry: Entry, value: string): string | null {
  if (value.length > VALUE_CHARS_MAX)
    return `${name} has ${value.length} characters, at most ${VALUE_CHARS_MAX} are kept`;
  switch (entry.type) {
    case TYPE.boolean:
      return /^(true|false)$/i.test(value.trim())
        ? acceptance(name, entry, [value.trim().toLowerCase()])
        : notA(name, value, 'boolean');
    case TYPE.list:
      return acceptance(name, entry, listOf(value));
    case TYPE.string:
      return acceptance(name, entry, [value]);
    case TYPE.double:
      return /^-?\d{1,15}(\.\d{1,15})?$/.test(value) ? range(name, entry, value) : notA(name, value, 'number');
    default:
      if (!/^-?\d{1,19}$/.test(value)) return notA(name, value, 'whole number');
      if (entry.type === TYPE.int && Math.abs(Number(value)) > INT_MAX) return `${name} = ${value} is too large`;
      return range(name, entry, value);
  }
}

function notA(name: string, value: string, what: string): string {
  return `${name} = ${value} is not a ${what}`;
}

function acceptance(name: string, entry: Entry, values: readonly string[]): string | null {
  const { accepts } = entry;
  if (accepts === undefined) return null;
  const wrong = values.find((value) => !accepts.includes(value));
  if (wrong === undefined) return null;
  return `${name} = ${wrong} is not served; this broker accepts ${accepts.join(', ')}`;
}

function range(name: string, entry: Entry, value: string): string | null {
  const number = Number(value);
  if (number < (entry.min ?? Number.NEGATIVE_INFINITY))
    return `${name} = ${value} is too small, it is at least ${entry.min}`;
  return number > (entry.max ?? Number.POSITIVE_INFINITY)
    ? `${name} = ${value} is too large, it is at most ${entry.max}`
    : null;
}
