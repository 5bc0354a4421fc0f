// Places in a topic's queues by time, and queues as keys of the tables that tools read.

import type { Offset, QueueNumber, Topic } from '../../core/types.ts';
import type { Connection } from './connection.ts';
import type { Json, JsonObject } from './json-body.ts';
import { wireTopic } from './names.ts';

/** The first offset stored at or after a time; a negative time is the end of the queue. */
export async function placeAt(connection: Connection, queue: QueueNumber, timestamp: number): Promise<Offset> {
  const { broker } = connection;
  const found = timestamp < 0 ? null : await broker.offsetByStoreTime(queue, timestamp);
  return found?.offset ?? broker.queue(queue)?.endOffset ?? 0;
}

/** A queue as clients name it. */
export function queueKey(connection: Connection, topic: Topic, queueId: number): JsonObject {
  return { brokerName: connection.node.brokerName, queueId, topic: wireTopic(topic.kind, topic.name) };
}

/** A table of offsets by queue, with keys that are objects. */
export function offsetTable(
  connection: Connection,
  topic: Topic,
  places: ReadonlyMap<QueueNumber, Offset>,
): Map<JsonObject, Json> {
  const table = new Map<JsonObject, Json>();
  for (const [queue, offset] of places) table.set(queueKey(connection, topic, topic.queues.indexOf(queue)), offset);
  return table;
}
