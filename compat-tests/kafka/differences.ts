// Where RosettaMQ answers Kafka's clients otherwise than Apache Kafka does, on purpose (harness/differences.ts).
import { type Differences, differsIn } from '../harness/differences.ts';

export const DIFFERENCES = {} as const satisfies Differences;

export const differs = differsIn(DIFFERENCES);
