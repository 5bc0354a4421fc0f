/**
 * What a channel has published and answered since tx.select or the last commit or rollback (class tx). A commit is one
 * entry of the log with every message and every acknowledgement; nothing of it is there before, nothing half.
 *
 * Invariants: messages are copies, and their octets are bounded; a tag is answered once; answers stay outstanding, and
 * count against the prefetch, until the commit.
 */

import type { Outcome } from '../../core/types.ts';
import type { Append } from '../../core/verbs.ts';
import { AmqpError } from './amqp-error.ts';

export interface Published {
  readonly append: Append;
  readonly mandatory: boolean;
}

export class Transaction {
  readonly published: Published[] = [];
  /** By delivery tag. */
  readonly answers = new Map<number, Outcome>();
  #bytes = 0;
  readonly #bytesMax: number;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  add(append: Append, mandatory: boolean): void {
    this.#bytes += append.payload.length + 256;
    if (this.#bytes > this.#bytesMax) {
      throw new AmqpError(
        'PRECONDITION_FAILED',
        `the messages of one transaction exceed ${this.#bytesMax} octets: commit more often`,
      );
    }
    const key = append.key === null ? null : Buffer.from(append.key);
    this.published.push({ append: { ...append, payload: Buffer.from(append.payload), key }, mandatory });
  }

  clear(): void {
    this.published.length = 0;
    this.answers.clear();
    this.#bytes = 0;
  }
}
