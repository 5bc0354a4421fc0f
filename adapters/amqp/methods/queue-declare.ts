/**
 * queue.declare: creates a queue, or says that the one there is the same and how much is in it. Declaring a log topic's
 * name with nothing but `durable` finds that topic, so that a client which declares before it consumes can read it.
 */

import { BrokerError } from '../../../core/errors.ts';
import type { Topic } from '../../../core/types.ts';
import type { Channel } from '../channel.ts';
import type { Handled } from '../dispatch.ts';
import { ownGroup } from '../groups.ts';
import type { Arguments } from '../method-arguments.ts';
import { cleanName, generatedName, refuseReserved } from '../names.ts';
import type { QueueShape } from '../queue-arguments.ts';
import { attributesOf, checkQueue, compareProperty, compareQueueArguments } from '../queue-arguments.ts';
import { queuePlace, shapeOf } from '../topology.ts';

export function queueDeclare(channel: Channel, args: Arguments<'queue.declare'>): Handled {
  return channel.afterAppends(() => declare(channel, args));
}

async function declare(channel: Channel, args: Arguments<'queue.declare'>): Promise<void> {
  const { connection } = channel;
  const { topology } = connection;
  const given = cleanName(args.queue);
  const serverNamed = given === '' && !args.passive;
  const name = serverNamed ? generatedName('amq.gen-', connection.context.random) : given;
  let topic: Topic;
  if (args.passive) topic = topology.require(connection, name);
  else topic = await declared(channel, name, { ...args, serverNamed });
  channel.lastQueue = name;
  if (args.nowait) return;
  const group = ownGroup(connection, topic);
  connection.frames.method(channel.number, 'queue.declare-ok', {
    queue: name,
    messageCount: topology.readyMessages(topic, group),
    consumerCount: topology.consumers(topic, group),
  });
}

async function declared(channel: Channel, name: string, shape: QueueShape): Promise<Topic> {
  const { connection } = channel;
  const { topology } = connection;
  const place = queuePlace(name, connection.virtualHost);
  const current = topology.find(connection, name);
  if (current !== null) {
    topology.checkExclusive(current, shape.exclusive, connection);
    checkSame(shape, shapeOf(current), place);
    return current;
  }
  if (!shape.serverNamed) refuseReserved('queue', name);
  checkQueue(shape, place);
  try {
    return await topology.create(connection, name, shape, attributesOf(shape.arguments));
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
  compareProperty('durable', received.durable, current.durable, place);
  compareProperty('auto_delete', received.autoDelete, current.autoDelete, place);
  compareQueueArguments(received.arguments, current.arguments, place);
}
