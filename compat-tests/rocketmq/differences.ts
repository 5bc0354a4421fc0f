// Where RosettaMQ answers RocketMQ's clients otherwise than Apache's broker does, on purpose. A test that meets such a
// place expects `apache` of Apache's broker and `ours` of ours; the table in specs/rocketmq/MAPPING.md is made from these
// rows (`npm run oracle -- rocketmq --table`).
import { type Differences, differsIn } from '../harness/differences.ts';

export const DIFFERENCES = {
  'dead-letter-origin': {
    what: 'DLQ_ORIGIN_TOPIC and DLQ_ORIGIN_MESSAGE_ID in a dead letter that a consumer sent back',
    apache: false as boolean,
    ours: true as boolean,
    apacheText: 'absent',
    oursText: 'present, beside RETRY_TOPIC and ORIGIN_MESSAGE_ID',
    why: 'tools that show dead letters look for them',
  },
} as const satisfies Differences;

export const differs = differsIn(DIFFERENCES);
