// What the core keeps for us with a group's generation: protocol type and assignment protocol, so that an empty group
// still says what it was (ListGroups, DescribeGroups). Version byte 1, then both as UTF-8 with a uint8 length.

const VERSION = 1;
const NAME_BYTES_MAX = 255;

export interface GroupData {
  readonly protocolType: string;
  readonly protocolName: string;
}

export function groupData(protocolType: string, protocolName: string | null): Buffer {
  const type = Buffer.from(protocolType).subarray(0, NAME_BYTES_MAX);
  const name = Buffer.from(protocolName ?? '').subarray(0, NAME_BYTES_MAX);
  return Buffer.concat([Buffer.from([VERSION, type.length]), type, Buffer.from([name.length]), name]);
}

/** Null for a group that another protocol has run last, or that never had members. */
export function readGroupData(data: Buffer | null): GroupData | null {
  if (data === null || data.length < 3 || data[0] !== VERSION) return null;
  const typeEnd = 2 + data[1]!;
  if (typeEnd >= data.length || typeEnd + 1 + data[typeEnd]! !== data.length) return null;
  return { protocolType: data.toString('utf8', 2, typeEnd), protocolName: data.toString('utf8', typeEnd + 1) };
}
