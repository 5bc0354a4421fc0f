/**
 * queue.declare: creates a queue, or says that the one there is the same and how much is in it. Declaring a log topic's
 * name with nothing but `durable` finds that topic, so that a client which declares before it consumes can read it.
 */

import { BrokerError } from '../../../core/errors.ts';
import type { Topic } from '../../../core/types.ts';
import type { Channel } from '../channel.ts';
import { isReplyName, repliesName } from '../direct-replies.ts';
import type { Handled } from '../dispatch.ts';
import { fieldOf } from '../field-table.ts';
import { ownGroup } from '../groups.ts';
import type { Arguments } from '../method-arguments.ts';
import { cleanName, generatedName, refuseReserved } from '../names.ts';
import { mayConfigure, mayRead, mayWrite } from '../permissions.ts';
import type { QueueShape } from '../queue-arguments.ts';
import { checkQueue, compareProperty, compareQueueArguments, textOf } from '../queue-arguments.ts';
import { isDurable, noSuchQueue, queuePlace, shapeOf } from '../topology.ts';

export function queueDeclare(channel: Channel, args: Arguments<'queue.declare'>): Handled {
  return channel.afterAppends(() => declare(channel, args));
}

async function declare(channel: Channel, args: Arguments<'queue.declare'>): Promise<void> {
  const { connection } = channel;
  const { topology } = connection;
  const given = cleanName(args.queue);
  if (isReplyName(given)) {
    declareReplies(channel, given, args.nowait);
    return;
  }
  const serverNamed = given === '' && !args.passive;
  const name = serverNamed ? generatedName('amq.gen-', connection.context.random) : given;
  let topic: Topic;
  if (args.passive) topic = topology.require(connection, name);
  else topic = await declared(channel, name, { ...args, serverNamed });
  channel.lastQueue = name;
  // Asking for a queue is a use of it (x-expires).
  connection.broker.used(topic);
  if (args.nowait) return;
  const group = ownGroup(connection, topic);
  connection.frames.method(channel.number, 'queue.declare-ok', {
    queue: name,
    messageCount: topology.readyMessages(topic, group),
    consumerCount: topology.consumers(topic, group),
  });
}

/** What stands for a consumer of direct replies looks like a queue that is there while the consumer is. */
function declareReplies(channel: Channel, name: string, nowait: boolean): void {
  const { connection } = channel;
  if (name !== repliesName && connection.shared.replies.find(name) === null) {
    throw noSuchQueue(name, connection.virtualHost);
  }
  if (nowait) return;
  connection.frames.method(channel.number, 'queue.declare-ok', { queue: name, messageCount: 0, consumerCount: 1 });
}

async function declared(channel: Channel, name: string, shape: QueueShape): Promise<Topic> {
  const { connection } = channel;
  const { topology } = connection;
  mayConfigure(connection, 'queue', name);
  const place = queuePlace(name, connection.virtualHost);
  const current = topology.find(connection, name);
  if (current !== null) {
    topology.checkExclusive(current, shape.exclusive, connection);
    checkSame(shape, shapeOf(current), place);
    return current;
  }
  if (!shape.serverNamed) refuseReserved('queue', name);
  checkQueue(shape, place);
  const deadLetters = textOf(fieldOf(shape.arguments, 'x-dead-letter-exchange'));
  if (deadLetters !== null) {
    mayRead(connection, 'queue', name);
    mayWrite(connection, 'exchange', deadLetters);
  }
  try {
    return await topology.create(connection, name, shape);
  } catch (error) {
    // Another connection was first: then this is a declaration of what is there.
    if (!(error instanceof BrokerError) || error.code !== 'topic-exists') throw error;
    const winner = topology.find(connection, name);
    if (winner === null) throw error;
    topology.checkExclusive(winner, shape.exclusive, connection);
    checkSame(shape, shapeOf(winner), place);
    return winner;
  }
}

function checkSame(received: QueueShape, current: QueueShape, place: string): void {
  compareProperty('durable', isDurable(received), isDurable(current), place);
  compareProperty('auto_delete', received.autoDelete, current.autoDelete, place);
  compareQueueArguments(received.arguments, current.arguments, place);
}
