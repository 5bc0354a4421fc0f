/**
 * What happened, for tracing, metrics and the composition root. The core imports no telemetry library: whoever wants
 * to know sets a listener. With no listener a signal costs one comparison and allocates nothing.
 */
import type { GroupId, Offset, Outcome, Position, QueueNumber } from './types.ts';

export class Signals {
  /** The journal failed: state in memory is void; drop every connection unanswered. */
  journalLost: ((cause: Error) => void) | null = null;
  /** Publishers are refused from now on (true), or accepted again (false). */
  pressure: ((full: boolean) => void) | null = null;
  /** Bytes that did not verify were set aside: [from, to) of the log. An alarm, not a statistic. */
  damage: ((from: Position, to: Position, file: string) => void) | null = null;

  accepted: ((queue: QueueNumber, baseOffset: Offset, records: number, payload: Buffer) => void) | null = null;
  committed: ((queue: QueueNumber, endOffset: Offset) => void) | null = null;
  delivered: ((group: GroupId, queue: QueueNumber, offset: Offset, deliveries: number) => void) | null = null;
  settled: ((group: GroupId, queue: QueueNumber, offset: Offset, outcome: Outcome) => void) | null = null;
  deadLettered: ((group: GroupId, queue: QueueNumber, offset: Offset) => void) | null = null;

  /** Plain counters, copied at scrape. */
  readonly counts = {
    appends: 0,
    records: 0,
    bytes: 0,
    writes: 0,
    syncs: 0,
    reads: 0,
    readBytes: 0,
    coldReads: 0,
    leased: 0,
    settled: 0,
    requeued: 0,
    deadLettered: 0,
    refusedFull: 0,
    conversions: 0,
  };
}
