// Metadata in raw frames: creation, ids, reserved names.
import { describe, expect, it } from 'vitest';
import { metadata } from '../../../specs/kafka/cluster.ts';
import { ERROR } from '../../../specs/kafka/error-codes.ts';
import { createTopics } from '../../../specs/kafka/topics.ts';
import { ZERO_UUID } from '../codec/rows.ts';
import { client, conversation, makeTopic } from '../testing/conversation.ts';

conversation();

describe('Metadata', () => {
  it('creates what is asked for, unless told not to, with a lasting id', async () => {
    const first = await client.ask(metadata, 12, { topics: [{ topicId: ZERO_UUID, name: 'born' }] });
    expect(first.topics[0]).toMatchObject({ errorCode: ERROR.NONE, name: 'born' });
    const id = first.topics[0]!.topicId;
    expect(id).not.toBe(ZERO_UUID);
    const byId = await client.ask(metadata, 12, { topics: [{ topicId: id, name: null }] });
    expect(byId.topics[0]).toMatchObject({ errorCode: ERROR.NONE, name: 'born', topicId: id });
    const request = { topics: [{ topicId: ZERO_UUID, name: 'not' }], allowAutoTopicCreation: false };
    const refused = await client.ask(metadata, 4, request);
    expect(refused.topics[0]!.errorCode).toBe(ERROR.UNKNOWN_TOPIC_OR_PARTITION);
    const bad = await client.ask(metadata, 4, { topics: [{ topicId: ZERO_UUID, name: 'a b' }] });
    expect(bad.topics[0]!.errorCode).toBe(ERROR.INVALID_TOPIC_EXCEPTION);
    const gone = await client.ask(metadata, 12, { topics: [{ topicId: 'ff'.repeat(16), name: null }] });
    expect(gone.topics[0]!.errorCode).toBe(ERROR.UNKNOWN_TOPIC_ID);
  });

  it('knows the two ways to ask for all, and for none', async () => {
    await makeTopic('one');
    expect((await client.ask(metadata, 0, { topics: [] })).topics).toHaveLength(1);
    expect((await client.ask(metadata, 1, { topics: null })).topics).toHaveLength(1);
    expect((await client.ask(metadata, 1, { topics: [] })).topics).toHaveLength(0);
  });
});

describe('reserved names', () => {
  it("are nobody else's", async () => {
    const { topics } = await client.ask(metadata, 4, { topics: [{ topicId: ZERO_UUID, name: '__consumer_offsets' }] });
    expect(topics[0]!.errorCode).toBe(ERROR.UNKNOWN_TOPIC_OR_PARTITION);
    const wish = { name: '__transaction_state', numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] };
    expect((await client.ask(createTopics, 7, { topics: [wish] })).topics[0]!.errorCode).toBe(
      ERROR.INVALID_TOPIC_EXCEPTION,
    );
  });
});
