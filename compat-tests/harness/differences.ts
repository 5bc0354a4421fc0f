// Where RosettaMQ answers a protocol's clients otherwise than that protocol's own broker does, on purpose: a row says both
// answers and why. A test that meets such a place asks for the answer of the target it runs against, and the table in the
// protocol's MAPPING.md is made from the rows (`npm run oracle -- <protocol> --table`).
import { isAgainstPeers } from './target.ts';

export interface Difference {
  readonly what: string;
  readonly apache: unknown;
  readonly ours: unknown;
  /** How the two are told in the table, where the values do not speak for themselves. */
  readonly apacheText?: string;
  readonly oursText?: string;
  readonly why: string;
}

export type Differences = Readonly<Record<string, Difference>>;

type Either<Row> = Row extends { readonly apache: infer A; readonly ours: infer O } ? A | O : never;

/** What the target of this run is expected to do where the two differ, by the name of a row. */
export function differsIn<Rows extends Differences>(
  rows: Rows,
): <Name extends keyof Rows>(name: Name) => Either<Rows[Name]> {
  return (name) => {
    const row = rows[name]!;
    return (isAgainstPeers ? row.apache : row.ours) as never;
  };
}
