// What the core keeps for us with a group's generation: protocol type and assignment protocol, so that an empty group
// still says what it was (ListGroups, DescribeGroups); since when it has been empty, so that its offsets can go; and of a
// stable group its members with their assignments, so that they go on where they were when the broker has been away.
//
// Version byte 2, type, name, time as int64 (0 while somebody is there), then leader, count of members, and of each: id,
// instance id, client id, host, session and rebalance timeout as int32, its protocols, its assignment. Texts and bytes
// have an unsigned varint in front, their length plus one; 0 is null. Version 1 had type and name with uint8 lengths.
//
// Invariant: a group that would take more than BYTES_MAX is kept without its members, who join again then.

import type { TimeMs } from '../../../core/types.ts';
import { Reader } from '../../wire/reader.ts';
import { WireError } from '../../wire/wire-error.ts';
import { Writer } from '../../wire/writer.ts';
import type { GroupState, MemberState } from './state.ts';

const VERSION = 2;
const BYTES_MAX = 1024 * 1024;

export interface GroupData {
  readonly protocolType: string;
  readonly protocolName: string;
  readonly emptySinceMs: TimeMs;
}

export interface SavedMembers {
  readonly leader: string | null;
  readonly members: readonly MemberState[];
}

type Described = Pick<GroupState, 'phase' | 'protocolType' | 'protocolName' | 'leader' | 'members'>;

export function groupData(state: Described, emptySinceMs: TimeMs): Buffer {
  const members = state.phase === 'stable' ? [...state.members.values()] : [];
  const whole = encode(state, emptySinceMs, members);
  return whole.length <= BYTES_MAX ? whole : encode(state, emptySinceMs, []);
}

function encode(state: Described, emptySinceMs: TimeMs, members: readonly MemberState[]): Buffer {
  const writer = new Writer({ slabBytes: 256 });
  writer.uint8(VERSION);
  text(writer, state.protocolType);
  text(writer, state.protocolName ?? '');
  writer.int64(emptySinceMs);
  text(writer, members.length > 0 ? state.leader : null);
  writer.uvarint(members.length);
  for (const member of members) {
    text(writer, member.id);
    text(writer, member.instanceId);
    text(writer, member.clientId);
    text(writer, member.host);
    writer.int32(member.sessionTimeoutMs);
    writer.int32(member.rebalanceTimeoutMs);
    writer.uvarint(member.protocols.length);
    for (const { name, metadata } of member.protocols) {
      text(writer, name);
      bytes(writer, metadata);
    }
    bytes(writer, member.assignment);
  }
  return writer.take();
}

function text(writer: Writer, value: string | null): void {
  writer.uvarint(value === null ? 0 : Buffer.byteLength(value) + 1);
  if (value !== null) writer.utf8(value);
}

function bytes(writer: Writer, value: Buffer): void {
  writer.uvarint(value.length + 1);
  writer.bytes(value);
}

/** Null for a group that another protocol has run last, or that never had members. */
export function readGroupData(data: Buffer | null): GroupData | null {
  return read(data, (reader, version) => head(reader, version));
}

/** The members of a group that was stable when it was written last, null when it was not. */
export function readSavedMembers(data: Buffer | null): (GroupData & SavedMembers) | null {
  return read(data, (reader, version) => {
    if (version !== VERSION) return null;
    const group = head(reader, version);
    const leader = readText(reader);
    const members: MemberState[] = [];
    for (let left = reader.uvarint(); left > 0; left--) members.push(readMember(reader));
    return members.length === 0 ? null : { ...group, leader, members };
  });
}

function read<T>(data: Buffer | null, how: (reader: Reader, version: number) => T | null): T | null {
  const version = data?.[0];
  if (data === null || (version !== 1 && version !== VERSION)) return null;
  try {
    return how(new Reader(data, 1), version);
  } catch (error) {
    // Another protocol's bytes, which happen to begin like ours.
    if (error instanceof WireError) return null;
    throw error;
  }
}

function head(reader: Reader, version: number): GroupData {
  if (version === 1) {
    const protocolType = reader.utf8(reader.uint8());
    return { protocolType, protocolName: reader.utf8(reader.uint8()), emptySinceMs: 0 };
  }
  return { protocolType: readText(reader) ?? '', protocolName: readText(reader) ?? '', emptySinceMs: reader.int64() };
}

function readMember(reader: Reader): MemberState {
  const id = readText(reader) ?? '';
  const instanceId = readText(reader);
  const clientId = readText(reader) ?? '';
  const host = readText(reader) ?? '';
  const sessionTimeoutMs = reader.int32();
  const rebalanceTimeoutMs = reader.int32();
  const protocols = [];
  for (let left = reader.uvarint(); left > 0; left--) {
    protocols.push({ name: readText(reader) ?? '', metadata: readBytes(reader) });
  }
  return {
    id,
    instanceId,
    clientId,
    host,
    sessionTimeoutMs,
    rebalanceTimeoutMs,
    protocols,
    assignment: readBytes(reader),
    joining: null,
    syncing: null,
  };
}

function readText(reader: Reader): string | null {
  const length = reader.uvarint();
  return length === 0 ? null : reader.utf8(length - 1);
}

function readBytes(reader: Reader): Buffer {
  return Buffer.from(reader.slice(reader.uvarint() - 1));
}
