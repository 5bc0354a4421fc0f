// Where RosettaMQ answers RocketMQ's clients otherwise than Apache's broker does, on purpose. A test that meets such a
// place expects `apache` of Apache's broker and `ours` of ours; the table in specs/rocketmq/MAPPING.md is made from these
// rows (`node compat-tests/rocketmq/oracle.ts --table`).
import { isAgainstPeers } from '../harness/target.ts';

export interface Difference {
  readonly what: string;
  readonly apache: unknown;
  readonly ours: unknown;
  /** How the two are told in the table, where the values do not speak for themselves. */
  readonly apacheText?: string;
  readonly oursText?: string;
  readonly why: string;
}

export const DIFFERENCES = {
  'dead-letter-origin': {
    what: 'DLQ_ORIGIN_TOPIC and DLQ_ORIGIN_MESSAGE_ID in a dead letter that a consumer sent back',
    apache: false as boolean,
    ours: true as boolean,
    apacheText: 'absent',
    oursText: 'present, beside RETRY_TOPIC and ORIGIN_MESSAGE_ID',
    why: 'tools that show dead letters look for them',
  },
} as const satisfies Record<string, Difference>;

type Either<Row> = Row extends { readonly apache: infer A; readonly ours: infer O } ? A | O : never;

/** What the target of this run is expected to do where the two differ. */
export function differs<Name extends keyof typeof DIFFERENCES>(name: Name): Either<(typeof DIFFERENCES)[Name]> {
  const row = DIFFERENCES[name];
  return (isAgainstPeers ? row.apache : row.ours) as Either<(typeof DIFFERENCES)[Name]>;
}
