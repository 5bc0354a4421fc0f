// What happened, as the clients saw it, and what must be true of it: every acknowledged send can be read afterwards, order
// per queue holds, nothing is read that was not sent, and what must not be twice is there once.
//
// A value is a string that only one send uses. A send is in one of three states: acknowledged (the client has the broker's
// word), refused (the client has the broker's no), or unknown (neither; it may be there or not). The rules come from the
// log checkers of Jepsen, whose names are kept for the findings.

export type Outcome = 'acknowledged' | 'refused' | 'unknown';

export interface Send {
  readonly value: string;
  /** Who sent it; sends of one sender to one queue have an order. */
  readonly sender: string;
  readonly outcome: Outcome;
  /** Where the broker said it is, when the protocol tells. */
  readonly queue?: number | undefined;
  readonly offset?: number | undefined;
  /** Whether the sender's protocol promises that a value is stored at most once (Kafka's idempotent producer). */
  readonly isIdempotent: boolean;
}

export interface Read {
  readonly value: string;
  readonly queue: number;
  readonly offset: number;
}

export interface Finding {
  readonly kind:
    | 'lost-write'
    | 'unexpected-value'
    | 'duplicate'
    | 'inconsistent-offset'
    | 'nonmonotonic-read'
    | 'nonmonotonic-send'
    | 'refused-but-stored'
    | 'sent-twice';
  readonly detail: string;
}

export class History {
  readonly #sends: Send[] = [];

  /** Records sends in the order in which each sender made them. */
  sent(...sends: Send[]): void {
    for (const send of sends) this.#sends.push(send);
  }

  count(outcome: Outcome): number {
    return this.#sends.filter((send) => send.outcome === outcome).length;
  }

  /**
   * Judges a complete reading, from the first offset to the end, of all queues of one topic, in the order read.
   */
  check(reads: readonly Read[]): Finding[] {
    return [
      ...this.#checkSends(),
      ...this.#checkReads(reads),
      ...this.#checkPresence(reads),
      ...this.#checkSenderOrder(reads),
    ];
  }

  #checkSends(): Finding[] {
    const seen = new Set<string>();
    const findings: Finding[] = [];
    for (const { value, sender } of this.#sends) {
      if (seen.has(value))
        findings.push({
          kind: 'sent-twice',
          detail: `${value} was sent twice (by ${sender}): the load is at fault, not the broker`,
        });
      seen.add(value);
    }
    return findings;
  }

  /** Offsets of a queue rise in the order read, and one offset holds one value. */
  #checkReads(reads: readonly Read[]): Finding[] {
    const findings: Finding[] = [];
    const last = new Map<number, number>();
    const holds = new Map<string, string>();
    for (const { value, queue, offset } of reads) {
      const before = last.get(queue);
      if (before !== undefined && offset <= before)
        findings.push({
          kind: 'nonmonotonic-read',
          detail: `queue ${queue}: offset ${offset} was read after ${before}`,
        });
      last.set(queue, Math.max(offset, before ?? offset));
      const place = `${queue}/${offset}`;
      const other = holds.get(place);
      if (other !== undefined && other !== value)
        findings.push({ kind: 'inconsistent-offset', detail: `${place} holds ${other} and ${value}` });
      holds.set(place, value);
    }
    return findings;
  }

  #checkPresence(reads: readonly Read[]): Finding[] {
    const findings: Finding[] = [];
    const places = new Map<string, Set<string>>();
    for (const { value, queue, offset } of reads) {
      const at = places.get(value);
      if (at) at.add(`${queue}/${offset}`);
      else places.set(value, new Set([`${queue}/${offset}`]));
    }
    const known = new Set<string>();
    for (const send of this.#sends) {
      known.add(send.value);
      const at = [...(places.get(send.value) ?? [])];
      if (send.outcome === 'acknowledged') {
        if (at.length === 0)
          findings.push({ kind: 'lost-write', detail: `${send.value} was acknowledged${place(send)} and is nowhere` });
        else if (send.offset !== undefined && !at.includes(`${send.queue}/${send.offset}`)) {
          findings.push({
            kind: 'inconsistent-offset',
            detail: `${send.value} was acknowledged${place(send)} and is at ${at.join(', ')}`,
          });
        }
      }
      if (send.outcome === 'refused' && at.length > 0)
        findings.push({ kind: 'refused-but-stored', detail: `${send.value} was refused and is at ${at.join(', ')}` });
      if (send.isIdempotent && at.length > 1)
        findings.push({ kind: 'duplicate', detail: `${send.value} is at ${at.join(', ')}` });
    }
    for (const value of places.keys())
      if (!known.has(value)) findings.push({ kind: 'unexpected-value', detail: `${value} was never sent` });
    return findings;
  }

  /** Acknowledged values of one sender stand in each queue in the order sent; a value counts at its first place. */
  #checkSenderOrder(reads: readonly Read[]): Finding[] {
    const findings: Finding[] = [];
    const sequence = new Map<string, { sender: string; at: number }>();
    const next = new Map<string, number>();
    for (const { value, sender, outcome } of this.#sends) {
      const at = next.get(sender) ?? 0;
      next.set(sender, at + 1);
      if (outcome === 'acknowledged') sequence.set(value, { sender, at });
    }
    const first = new Map<string, Read>();
    for (const read of reads) {
      const known = first.get(read.value);
      if (!known || (known.queue === read.queue && read.offset < known.offset)) first.set(read.value, read);
    }
    const last = new Map<string, { at: number; value: string }>();
    for (const read of [...first.values()].sort((a, b) => a.queue - b.queue || a.offset - b.offset)) {
      const sent = sequence.get(read.value);
      if (!sent) continue;
      const line = `${sent.sender} ${read.queue}`;
      const before = last.get(line);
      if (before && before.at > sent.at)
        findings.push({
          kind: 'nonmonotonic-send',
          detail: `queue ${read.queue}: ${read.value} of ${sent.sender} stands behind ${before.value}, which was sent later`,
        });
      else last.set(line, { at: sent.at, value: read.value });
    }
    return findings;
  }
}

const place = (send: Send): string => (send.offset === undefined ? '' : ` at ${send.queue}/${send.offset}`);

/** The findings as a failure's text, the first of each kind in full. */
export function report(findings: readonly Finding[]): string {
  const byKind = Map.groupBy(findings, (finding) => finding.kind);
  return [...byKind]
    .map(
      ([kind, all]) =>
        `${kind} × ${all.length}:\n${all
          .slice(0, 5)
          .map((one) => `  ${one.detail}`)
          .join('\n')}`,
    )
    .join('\n');
}
