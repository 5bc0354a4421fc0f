// Requests of an administrator that are for a running consumer: handed to the client and its answer handed back.

import { RESPONSE, type ResponseCode } from '../../specs/rocketmq/response-codes.ts';
import { byteText } from './byte-text.ts';
import type { Connection } from './connection.ts';
import { RequestError } from './errors.ts';
import type { Header } from './header.ts';
import { groupName, mayAskAbout } from './look-up.ts';
import { ReplyField } from './reply.ts';

/** How the asking client has proved who it is: not for the one that is asked, who could use it again. */
const PROOF: ReadonlySet<string> = new Set(['AccessKey', 'Signature', 'SecurityToken']);

/** The request's own fields, all of them, as the client is to get them. */
export function fieldsOf(header: Header): Map<string, string> {
  const fields = new Map<string, string>();
  for (let i = 0; i < header.count; i++) {
    fields.set(byteText(header.values, header.nameStarts[i]!, header.nameEnds[i]!), header.textAt(i));
  }
  return fields;
}

/** The connection of a member; SYSTEM_ERROR when it is not there, as from the protocol's broker. */
export function memberConnection(connection: Connection, wireGroup: string, clientId: string): Connection {
  const { broker, node } = connection;
  const name = groupName(wireGroup);
  mayAskAbout(connection, 'group', name);
  const group = broker.group(node.namespace, name);
  const member = group === null ? null : node.groups.member(group, clientId);
  if (member === null) {
    throw new RequestError(RESPONSE.SYSTEM_ERROR, `The Consumer <${wireGroup}> <${clientId}> not online`);
  }
  return member.connection;
}

export function relay(
  connection: Connection,
  header: Header,
  client: Connection,
  fields: ReadonlyMap<string, string>,
  bodyOf: () => Promise<Buffer | null>,
): void {
  const { code } = header;
  connection.later(header, async (ticket) => {
    const body = await bodyOf();
    const answer = await client.ask(
      code,
      (request) => {
        for (const [name, value] of fields) if (!PROOF.has(name)) request.text(new ReplyField(name), value);
      },
      body,
    );
    // A code that is ours to know only: the client's own failures come as SYSTEM_ERROR.
    const reply = connection.begin(ticket, answer.code as ResponseCode, answer.remark);
    reply.endHeader();
    reply.writer.bytes(answer.body);
    connection.finish(ticket);
  });
}
