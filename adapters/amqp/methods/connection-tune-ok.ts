/** connection.tune-ok: the client may choose less than was offered, not more, and not a frame below the minimum. */

import { AmqpError } from '../amqp-error.ts';
import type { Connection } from '../connection.ts';
import type { Arguments } from '../method-arguments.ts';
import { expectState } from './expect-state.ts';

export function connectionTuneOk(connection: Connection, args: Arguments<'connection.tune-ok'>): void {
  expectState(connection, 'tune');
  const { limits } = connection;
  checkNegotiated('channel_max', args.channelMax, 1, limits.channelsPerConnectionMax);
  checkNegotiated('frame_max', args.frameMax, limits.frameBytesMin, limits.frameBytesMax);
  connection.tuned(args.channelMax, args.frameMax, args.heartbeat);
}

/** Zero means without limit, which is more than was offered. */
function checkNegotiated(name: string, value: number, min: number, max: number): void {
  if (value >= min && value <= max) return;
  const side =
    value === 0 || value > max
      ? `higher than the maximum allowed value (${max})`
      : `lower than the minimum allowed value (${min})`;
  throw new AmqpError('NOT_ALLOWED', `negotiated ${name} = ${value} is ${side}`);
}
