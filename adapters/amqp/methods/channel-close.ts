/** channel.close by the client. */

import type { Channel } from '../channel.ts';

export function channelClose(channel: Channel): Promise<void> {
  return channel.connection.closeChannel(channel);
}
