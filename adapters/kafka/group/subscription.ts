// The topics that a member of protocol type "consumer" subscribes to, for the eyes of administrators.
//
// ConsumerProtocolSubscription (KIP-429): version int16, topics [string], user data bytes, and more in later versions.
// To the coordinator these bytes are opaque: what cannot be read is no error, it names no topics.
import { Reader } from '../../wire/reader.ts';
import { WireError } from '../../wire/wire-error.ts';

export function subscribedTopics(protocolType: string, metadata: Buffer): string[] {
  if (protocolType !== 'consumer') return [];
  try {
    const reader = new Reader(metadata);
    reader.int16();
    const count = reader.int32();
    const topics: string[] = [];
    for (let i = 0; i < count; i++) topics.push(reader.utf8(reader.int16()));
    return topics;
  } catch (error) {
    if (error instanceof WireError) return [];
    throw error;
  }
}
