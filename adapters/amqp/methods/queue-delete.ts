/** queue.delete. One that is not there is no error. Its consumers are cancelled, its ready messages are lost. */

import { AmqpError } from '../amqp-error.ts';
import type { Channel } from '../channel.ts';
import type { Handled } from '../dispatch.ts';
import { ownGroup } from '../groups.ts';
import type { Arguments } from '../method-arguments.ts';
import { mayDelete } from '../permissions.ts';
import { onLogTopic, queuePlace } from '../topology.ts';
import { queueNamed } from './queue-named.ts';

export function queueDelete(channel: Channel, args: Arguments<'queue.delete'>): Handled {
  return channel.afterAppends(() => remove(channel, args));
}

async function remove(channel: Channel, args: Arguments<'queue.delete'>): Promise<void> {
  const { connection } = channel;
  const { topology } = connection;
  const name = queueNamed(channel, args.queue);
  mayDelete(connection, 'queue', name);
  const topic = topology.find(connection, name);
  let messageCount = 0;
  if (topic !== null) {
    if (topic.kind !== 'queue') throw onLogTopic(name, 'delete');
    const group = ownGroup(connection, topic);
    const place = queuePlace(name, connection.virtualHost);
    messageCount = topology.readyMessages(topic, group);
    if (args.ifUnused && topology.consumers(topic, group) > 0)
      throw new AmqpError('PRECONDITION_FAILED', `${place} in use`);
    if (args.ifEmpty && messageCount > 0) throw new AmqpError('PRECONDITION_FAILED', `${place} not empty`);
    await topology.remove(topic, connection.principal);
  }
  if (!args.nowait) connection.frames.method(channel.number, 'queue.delete-ok', { messageCount });
}
