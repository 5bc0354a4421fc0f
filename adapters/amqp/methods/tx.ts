/**
 * The class tx: publishes and answers of the channel take effect together at tx.commit, or are forgotten at
 * tx.rollback. RabbitMQ promises this for one queue only; here it holds for all.
 */

import { BrokerError } from '../../../core/errors.ts';
import { AmqpError } from '../amqp-error.ts';
import type { Channel } from '../channel.ts';
import { Transaction } from '../transaction.ts';
import { handReply, isReply, returnContent } from './basic-publish.ts';

export function txSelect(channel: Channel): void {
  if (channel.confirms.selected) throw new AmqpError('PRECONDITION_FAILED', 'cannot switch from confirm to tx mode');
  channel.transaction ??= new Transaction(channel.connection.limits.transactionBytesMax);
  channel.connection.frames.method(channel.number, 'tx.select-ok', {});
}

export function txRollback(channel: Channel): void {
  transactionOf(channel).clear();
  channel.connection.frames.method(channel.number, 'tx.rollback-ok', {});
}

export async function txCommit(channel: Channel): Promise<void> {
  const transaction = transactionOf(channel);
  const { broker, principal, frames } = channel.connection;
  const settles = channel.settlesOf(transaction);
  if (transaction.published.length + settles.length > 0) {
    const appends = transaction.published.map(({ append }) => append);
    const { promise: committed, resolve } = Promise.withResolvers<void>();
    // What it throws leaves everything as it was: nothing below is done then.
    let taken: number[];
    try {
      taken = broker.transact(principal, appends, settles, { appended: () => resolve() }, 0);
    } catch (error) {
      if (error instanceof BrokerError && error.code === 'storage-full') channel.connection.storage.refused();
      throw error;
    }
    transaction.published.forEach(({ append, mandatory }, n) => {
      if (taken[n] === 0 && append.refused === 0 && mandatory) returnContent(channel, append);
    });
    channel.answerCommitted(transaction);
    const replies = appends.filter(isReply);
    const isPartial = appends.some(({ refused }) => (refused ?? 0) > 0);
    transaction.clear();
    await committed;
    for (const reply of replies) handReply(channel.connection, reply);
    if (isPartial) throw new AmqpError('PRECONDITION_FAILED', 'partial tx completion');
  } else {
    channel.answerCommitted(transaction);
    transaction.clear();
  }
  if (!channel.closing) frames.method(channel.number, 'tx.commit-ok', {});
}

function transactionOf(channel: Channel): Transaction {
  if (channel.transaction === null) throw new AmqpError('PRECONDITION_FAILED', 'channel is not transactional');
  return channel.transaction;
}
