// What the records of a batch must be where their topic has rules for them: keyed in a compacted topic, of a time within
// bounds. Batches of all other topics are never looked into.
import { BrokerError } from '../../../core/errors.ts';
import type { Message, TimeMs } from '../../../core/types.ts';
import { ERROR, type ErrorCode } from '../../../specs/kafka/error-codes.ts';
import type { AppendRules } from '../config/topic-config.ts';
import { decodeBatch } from './records.ts';

/** Records named in one refusal; a batch of nothing but bad ones need not be told one by one. */
const ERRORS_MAX = 100;

export interface RecordError {
  readonly index: number;
  readonly text: string;
}

export interface RecordsRefused {
  readonly code: ErrorCode;
  readonly text: string;
  readonly records: readonly RecordError[];
}

/** Null when nothing is wrong, or when the topic has no such rules. */
export function checkRecords(
  batch: Buffer,
  rules: AppendRules,
  nowMs: TimeMs,
  bytesMax: number,
): RecordsRefused | null {
  const bounded = !rules.logAppendTime && Number.isFinite(Math.min(rules.beforeMaxMs, rules.afterMaxMs));
  if (!rules.compacted && !bounded) return null;
  let messages: readonly Message[];
  try {
    messages = decodeBatch(batch, bytesMax);
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error;
    return { code: ERROR.CORRUPT_MESSAGE, text: error.message, records: [] };
  }
  if (rules.compacted) {
    const text = 'a record of a compacted topic needs a key';
    const records = offenders(
      messages,
      ({ key }) => key === null,
      () => text,
    );
    if (records.length > 0) return { code: ERROR.INVALID_RECORD, text, records };
  }
  if (bounded) {
    const from = nowMs - rules.beforeMaxMs;
    const to = nowMs + rules.afterMaxMs;
    const records = offenders(
      messages,
      ({ timestampMs }) => timestampMs < from || timestampMs > to,
      ({ timestampMs }) => `the time ${timestampMs} is outside of the bounds ${from} and ${to}`,
    );
    if (records.length > 0) return { code: ERROR.INVALID_TIMESTAMP, text: records[0]!.text, records };
  }
  return null;
}

function offenders(
  messages: readonly Message[],
  isWrong: (message: Message) => boolean,
  textOf: (message: Message) => string,
): RecordError[] {
  const found: RecordError[] = [];
  for (let index = 0; index < messages.length && found.length < ERRORS_MAX; index++) {
    const message = messages[index]!;
    if (isWrong(message)) found.push({ index, text: textOf(message) });
  }
  return found;
}
