// What the core keeps for us with a group's generation: protocol type and assignment protocol, so that an empty group
// still says what it was (ListGroups, DescribeGroups), and since when it has been empty, so that its offsets can go.
//
// Version byte, then both names as UTF-8 with a uint8 length; from version 2 on the time since which nobody is there in
// milliseconds, uint48, 0 while somebody is.

import type { TimeMs } from '../../../core/types.ts';

const VERSION = 2;
const NAME_BYTES_MAX = 255;
const TIME_BYTES = 6;

export interface GroupData {
  readonly protocolType: string;
  readonly protocolName: string;
  readonly emptySinceMs: TimeMs;
}

export function groupData(protocolType: string, protocolName: string | null, emptySinceMs: TimeMs): Buffer {
  const type = Buffer.from(protocolType).subarray(0, NAME_BYTES_MAX);
  const name = Buffer.from(protocolName ?? '').subarray(0, NAME_BYTES_MAX);
  const time = Buffer.alloc(TIME_BYTES);
  time.writeUIntBE(emptySinceMs, 0, TIME_BYTES);
  return Buffer.concat([Buffer.from([VERSION, type.length]), type, Buffer.from([name.length]), name, time]);
}

/** Null for a group that another protocol has run last, or that never had members. */
export function readGroupData(data: Buffer | null): GroupData | null {
  if (data === null || data.length < 3 || (data[0] !== 1 && data[0] !== VERSION)) return null;
  const typeEnd = 2 + data[1]!;
  if (typeEnd >= data.length) return null;
  const nameEnd = typeEnd + 1 + data[typeEnd]!;
  if (nameEnd + (data[0] === VERSION ? TIME_BYTES : 0) !== data.length) return null;
  return {
    protocolType: data.toString('utf8', 2, typeEnd),
    protocolName: data.toString('utf8', typeEnd + 1, nameEnd),
    emptySinceMs: data[0] === VERSION ? data.readUIntBE(nameEnd, TIME_BYTES) : 0,
  };
}
