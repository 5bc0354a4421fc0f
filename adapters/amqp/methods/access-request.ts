/** access.request: left over from 0-8, where it gave out tickets that later methods name. Everybody gets ticket 1. */

import type { Channel } from '../channel.ts';

export function accessRequest(channel: Channel): void {
  channel.connection.frames.method(channel.number, 'access.request-ok', { ticket: 1 });
}
