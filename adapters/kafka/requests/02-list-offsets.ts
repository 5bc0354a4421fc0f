// ListOffsets (2): the offset of a partition's end, start, or of a time.
//
// Timestamps: -1 the end (with read_committed the stable end), -2 the start, -3 the record with the largest timestamp
// (v7), -4 the first local offset (v8: nothing is tiered, so the start), -5 the last tiered one (v9: there is none).
// Any other: the first record at or after that time, exact to the record, with the record's own time; -1 and -1 when
// there is none. A partition that is named twice is refused in all places, as in Kafka.
import type { QueueState } from '../../../core/verbs.ts';
import { listOffsets } from '../../../specs/kafka/data.ts';
import { ERROR } from '../../../specs/kafka/error-codes.ts';
import type { Input, Values } from '../../../specs/kafka/row.ts';
import type { Call } from '../call.ts';
import type { Route } from '../dispatch.ts';
import { epochError } from '../epoch-check.ts';
import { errorCode } from '../errors.ts';
import { describedPartition } from '../partitions.ts';

type Request = Values<(typeof listOffsets)['request']>;
type Answer = Input<(typeof listOffsets.response)[1]['fields'][1]['fields']>;
interface Found {
  offset: number;
  timestamp: number;
}

const AT = { latest: -1, earliest: -2, maxTimestamp: -3, earliestLocal: -4, latestTiered: -5 } as const;
const READ_COMMITTED = 1;
/** Lookups by time look into the records: others get their turn in between. */
const LOOKUPS_PER_TURN = 20;

export const listOffsetsRoute: Route = { api: listOffsets, handle: list };

async function list(call: Call): Promise<void> {
  const request = call.request(listOffsets);
  const committed = request.isolationLevel === READ_COMMITTED;
  const repeated = namedTwice(request.topics);
  const topics = [];
  let lookups = 0;
  for (const { name, partitions } of request.topics) {
    const answers: Answer[] = [];
    for (const partition of partitions) {
      const { partitionIndex, timestamp, currentLeaderEpoch } = partition;
      if (repeated.has(keyOf(name, partitionIndex))) {
        answers.push({ partitionIndex, errorCode: ERROR.INVALID_REQUEST });
        continue;
      }
      const byTime = timestamp >= 0 || timestamp === AT.maxTimestamp;
      if (byTime && ++lookups % LOOKUPS_PER_TURN === 0) {
        await new Promise<void>((resolve) => call.node.clock.afterTurn(resolve));
      }
      if (call.connection.closed) return;
      answers.push(await listOne(call, name, partitionIndex, timestamp, currentLeaderEpoch, committed));
    }
    topics.push({ name, partitions: answers });
  }
  call.reply(listOffsets, { topics });
}

function keyOf(name: string, partitionIndex: number): string {
  return `${name} ${partitionIndex}`;
}

function namedTwice(topics: Request['topics']): Set<string> {
  const seen = new Set<string>();
  const twice = new Set<string>();
  for (const { name, partitions } of topics) {
    for (const { partitionIndex } of partitions) {
      const key = keyOf(name, partitionIndex);
      if (seen.has(key)) twice.add(key);
      seen.add(key);
    }
  }
  return twice;
}

async function listOne(
  call: Call,
  name: string,
  partitionIndex: number,
  timestamp: number,
  claimedEpoch: number,
  committed: boolean,
): Promise<Answer> {
  const refused = (code: number): Answer => ({ partitionIndex, errorCode: code });
  try {
    const partition = describedPartition(call, name, partitionIndex);
    if (partition === null) return refused(ERROR.UNKNOWN_TOPIC_OR_PARTITION);
    const stale = epochError(call.node, claimedEpoch);
    if (stale !== ERROR.NONE) return refused(stale);
    if (timestamp < lowestTimestamp(call.version)) return refused(ERROR.UNSUPPORTED_VERSION);
    const { offset, timestamp: time } = await find(call, partition.queue, timestamp, committed);
    return {
      partitionIndex,
      errorCode: ERROR.NONE,
      offset,
      timestamp: time,
      leaderEpoch: epochAt(call, partition.queue, offset),
    };
  } catch (error) {
    call.node.counts.errors++;
    return refused(errorCode(error, 'topic'));
  }
}

/** v7 brought -3, v8 -4, v9 -5. */
function lowestTimestamp(version: number): number {
  return version >= 9
    ? AT.latestTiered
    : version >= 8
      ? AT.earliestLocal
      : version >= 7
        ? AT.maxTimestamp
        : AT.earliest;
}

/** The epoch that the record at the offset was written under; of the end, the one that is at work now. */
function epochAt(call: Call, queue: QueueState, offset: number): number {
  if (offset < 0) return -1;
  const { broker } = call.node;
  return offset >= queue.endOffset ? broker.epoch : broker.facts.epochOf(queue.number, offset);
}

async function find(call: Call, queue: QueueState, timestamp: number, committed: boolean): Promise<Found> {
  const { broker } = call.node;
  switch (timestamp) {
    case AT.latest:
      return { offset: committed ? queue.stableOffset : queue.endOffset, timestamp: -1 };
    case AT.earliest:
    case AT.earliestLocal:
      return { offset: queue.startOffset, timestamp: -1 };
    case AT.latestTiered:
      return { offset: -1, timestamp: -1 };
    default: {
      const found =
        timestamp === AT.maxTimestamp
          ? await broker.offsetOfMaxRecordTime(queue.number)
          : await broker.offsetByRecordTime(queue.number, timestamp);
      return found === null ? { offset: -1, timestamp: -1 } : { offset: found.offset, timestamp: found.timeMs };
    }
  }
}
